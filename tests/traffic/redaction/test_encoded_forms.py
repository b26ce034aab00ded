"""The same address or number in the forms in which programs write it."""

import pytest

from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.redaction.text import redact_text

FORMS = [
    "anna.berg&#x40;example.org",
    "anna.berg&commat;example.org",
    "anna.berg\uff20example\uff0eorg",
    "anna.berg@\u200bexample.org",
    "anna.b\u00aderg@exam\u00adple.org",
    "anna.berg @ example.org",
    "anna.berg [at] example [dot] org",
    "anna.berg(at)example.org",
    "anna.berg@example&#46;org",
    "anna.berg@example%2Eorg",
    "anna.berg%2540example.org",
    "4111\n1111\n1111\n1111",
    "4111\r\n1111 1111 1111",
    "41111111\n11111111",
    "4111\\n1111\\n1111\\n1111",
    "4111%201111%201111%201111",
    "4111+1111+1111+1111",
    "4111&nbsp;1111&nbsp;1111&nbsp;1111",
    "4111\\u00a01111\\u00a01111\\u00a01111",
    "4111\u200b1111\u200b1111\u200b1111",
    "4111\u00ad1111\u00ad1111\u00ad1111",
    "4111 - 1111 - 1111 - 1111",
    "4111_1111_1111_1111",
    "4111\u30001111\u30001111\u30001111",
    "\uff14\uff11\uff11\uff11" + "\u3000\uff11\uff11\uff11\uff11" * 3,
    "DE89\n3704 0044 0532 0130 00",
    "DE89%203704%200044%200532%200130%2000",
    "DE89  3704  0044  0532  0130  00",
    "DE89&nbsp;3704&nbsp;0044&nbsp;0532&nbsp;0130&nbsp;00",
    "IBANDE89370400440532013000",
    "%2B491701234567",
    "+49\u00ad170\u200b1234567",
    "&#43;491701234567",
    "\\u002b491701234567",
    "sk\u200b-proj-abcdefghijklmnop123456",
    "password%3D1234567hunter",
    "password&quot;:&quot;1234567hunter",
]
LEFT = ("1111", "\uff11\uff11", "berg", "0532", "3704", "234567", "abcdef", "hunter")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["{}", "Write to {} today.", '{{"x": "{}"}}', "100 % of R&D: {}"])
def test_every_form_of_personal_data_is_removed(form: str, around: str) -> None:
    redacted, count = redact_text(around.format(form))
    assert count >= 1
    assert not [part for part in LEFT if part in redacted], redacted


@pytest.mark.parametrize(
    "text",
    [
        "R&D cost 20% more in 2023, 2024, 2025 and 2026; see C:\\new\\table &amp; 100%25.",
        "1234\n5678\n9012\n3456",
        "--data-binary @tickets.csv",
        "2 @ 3.50 each, meet at the bakery.",
        "per%20cent and %zz and &unknown; stay",
        "e\u0301 and \ufb01 stay as they are",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == (text, 0)


def test_images_and_files_are_replaced_by_their_size() -> None:
    url = "data:image/png;base64," + "iVBORw0KGgo1" * 100
    assert redact_text(f"See {url} here") == ("See [image: 900 bytes] here", 1)
    assert redact_text("Ab3+" * 200) == ("[data: 600 bytes]", 1)
    assert redact_text("word " * 200) == ("word " * 200, 0)
    assert Redactor().redact_text(f'{{"url": "{url}"}}')[0] == '{"url": "[image: 900 bytes]"}'
