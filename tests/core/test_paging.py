import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.core.errors import InvalidCursor
from promptuary.core.paging import build_page, decode_cursor, encode_cursor


def test_pages_walk_a_list_without_a_gap_or_a_row_twice() -> None:
    rows, seen, cursor = list(range(1, 8)), [], None
    while True:
        after = decode_cursor(cursor, int) or 0
        page = build_page([row for row in rows if row > after][: 3 + 1], 3, lambda row: row)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == rows


def test_the_last_page_has_no_cursor_also_when_it_is_full() -> None:
    assert build_page([1, 2, 3], 3, lambda row: row).next_cursor is None
    assert build_page([], 3, lambda row: row).items == []


def test_a_row_that_comes_in_between_does_not_shift_the_next_page() -> None:
    first = build_page(["b", "d", "f"], 2, lambda row: row)
    after = decode_cursor(first.next_cursor, str)
    assert after is not None
    assert [row for row in ["a", "b", "c", "d", "e", "f"] if row > after] == ["e", "f"]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00")) | st.integers(0, 2**31 - 1))
def test_a_cursor_is_read_back_as_it_was_given(last: str | int) -> None:
    assert decode_cursor(encode_cursor(last), type(last)) == last


def forge_cursor(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "é",
        "a b",
        "====",
        "%%%",
        forge_cursor(b"1"),
        forge_cursor(b"null"),
        forge_cursor(b"[1]"),
        forge_cursor(b'"\\u0000"'),
        forge_cursor(b'"\\ud800"'),
        forge_cursor(b"\xff"),
    ],
)
def test_a_forged_cursor_where_a_text_is_wanted_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="the cursor does not come from this server"):
        decode_cursor(cursor, str)


@pytest.mark.parametrize("raw", [b'"a"', b"true", b"1.5", b"-1", b"2147483648", b"9" * 700, b"[" * 740, b"NaN", b"{}"])
def test_a_forged_cursor_where_a_number_is_wanted_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(forge_cursor(raw), int)
