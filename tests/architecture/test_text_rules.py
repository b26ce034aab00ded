"""The user interface cannot import `promptuary`, so it has copies of the rules about text; they must stay equal."""

import pytest

from promptuary.prompt.text import HIDDEN, format_usd, show_hidden
from promptuary_ui.components.number_format import format_usd as ui_format_usd
from promptuary_ui.components.text import HIDDEN as UI_HIDDEN
from promptuary_ui.components.text import escape_hidden


def test_the_ui_and_the_server_show_the_same_hidden_characters() -> None:
    assert UI_HIDDEN == HIDDEN
    every_character = "".join(map(chr, [*range(0x11000), *range(0xE0000, 0xE0200)]))
    assert escape_hidden(every_character) == show_hidden(every_character)


@pytest.mark.parametrize("mantissa", [1.0, 1.2345, 5.0, 9.994, 9.9999])
@pytest.mark.parametrize("exponent", range(-12, 7))
def test_the_ui_and_the_server_write_the_same_amounts(mantissa: float, exponent: int) -> None:
    amount = mantissa * 10**exponent
    assert ui_format_usd(amount) == format_usd(amount)


def test_the_ui_and_the_server_write_the_same_zero_and_debt() -> None:
    assert [ui_format_usd(0.0), ui_format_usd(-1.5)] == [format_usd(0.0), format_usd(-1.5)]
