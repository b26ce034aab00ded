import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.text import (
    HIDDEN,
    format_usd,
    refused_character,
    refused_position,
    replace_refused,
    replace_surrogates,
    show_hidden,
)


@pytest.mark.parametrize("text", ["", "plain", "two\nlines\tand a tab", "é 🙂 \U0010ffff", "\u202e", "\x1b[31m"])
def test_text_without_nul_and_surrogates_is_accepted(text: str) -> None:
    assert refused_character(text) is None
    assert refused_position(text) is None
    assert replace_refused(text) == replace_surrogates(text) == text


@pytest.mark.parametrize(
    ("text", "message", "replaced"),
    [
        ("a\x00b", "has a NUL character", "a\ufffdb"),
        ("a\ud800b", "has a lone surrogate, which is not a Unicode character", "a\ufffdb"),
        ("\udfff", "has a lone surrogate, which is not a Unicode character", "\ufffd"),
        ("\x00\ud800", "has a NUL character", "\ufffd\ufffd"),
    ],
)
def test_nul_and_lone_surrogates_are_refused_or_replaced(text: str, message: str, replaced: str) -> None:
    assert refused_character(text) == message
    assert replace_refused(text) == replaced
    assert refused_position(text) == replaced.index("\ufffd")


def test_only_surrogates_keep_a_text_from_being_written_as_utf_8() -> None:
    assert replace_surrogates("\x00\ud800?") == "\x00\ufffd?"


@given(st.text(st.characters()))
def test_a_text_is_accepted_after_its_refused_characters_are_replaced(text: str) -> None:
    assert refused_character(replace_refused(text)) is None
    replace_surrogates(text).encode()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\r\n", "a\\rb\\r\n"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\ud800", "\\ud800"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\u061carabic mark", "\\u061carabic mark"),
        ("soft\u00adhyphen", "soft\\xadhyphen"),
        ("tag \U000e0041\U000e007f", "tag \\U000e0041\\U000e007f"),
    ],
)
def test_hidden_characters_are_shown_as_escapes(text: str, escaped: str) -> None:
    assert show_hidden(text) == escaped


PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # written with a zero-width non-joiner


@pytest.mark.parametrize("text", ["plain", "é 消 😀", "👩\u200d🔬", PERSIAN, "❤\ufe0f", "a\tb", "a\nb"])
def test_text_that_people_can_read_stays_as_it_is(text: str) -> None:
    assert show_hidden(text) == text


def test_newlines_are_escapes_in_text_for_one_line() -> None:
    assert show_hidden("a\n\tb", newlines=False) == "a\\n\tb"


@given(st.text(st.characters()))
def test_no_hidden_character_is_left_after_escaping(text: str) -> None:
    assert not re.search(HIDDEN, show_hidden(text))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (12.345678, "$12.35"),
        (1, "$1.00"),
        (0.9999, "$1.00"),
        (0.5, "$0.50"),
        (0.123456, "$0.123"),
        (0.0123, "$0.0123"),
        (0.0042, "$0.0042"),
        (0.00042, "$0.00042"),
        (0.00000004, "$0.00000004"),
        (-0.25, "-$0.25"),
    ],
)
def test_dollars_have_two_decimals_or_as_many_as_show_three_digits(amount: float, text: str) -> None:
    assert format_usd(amount) == text


def test_more_digits_tell_two_close_amounts_apart() -> None:
    assert format_usd(1.23456, significant_digits=6) == "$1.23456"
    assert format_usd(1.2, significant_digits=6) == "$1.20"


@given(st.floats(1e-12, 1e9))
def test_an_amount_above_zero_never_reads_as_zero(amount: float) -> None:
    text = format_usd(amount)
    assert "e" not in text
    assert float(text.replace(",", "").removeprefix("$")) == pytest.approx(amount, rel=5.01e-3)
