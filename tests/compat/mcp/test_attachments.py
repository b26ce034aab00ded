"""Attachments as content blocks."""

import pytest

from promptuary.compat.mcp.attachments import file_block, image_block, split_data_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("DATA:image/png;charset=x;BASE64,AAAA", ("image/png", "AAAA")),
        ("data:image/svg+xml,%3Csvg%2F%3E", ("image/svg+xml", "PHN2Zy8+")),
        ("data:,hi", ("application/octet-stream", "aGk=")),
    ],
)
def test_a_data_url_is_split_into_its_type_and_base64(url: str, expected: tuple[str, str]) -> None:
    assert split_data_url(url) == expected


def test_a_protocol_without_links_receives_the_url_as_a_text() -> None:
    assert image_block("https://a.example/b.png", links=False) == {"type": "text", "text": "https://a.example/b.png"}


def test_a_link_without_a_file_name_is_called_image() -> None:
    assert image_block("https://a.example/", links=True) == {
        "type": "resource_link",
        "uri": "https://a.example/",
        "name": "image",
    }


def test_a_file_of_a_data_url_has_the_type_in_it() -> None:
    assert file_block("x", "data:text/csv;base64,YQ==")["resource"] == {
        "uri": "file:///x",
        "mimeType": "text/csv",
        "blob": "YQ==",
    }
