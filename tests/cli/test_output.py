"""Tables for people and for pipes."""

import sys

import pytest

from promptuary.cli.output import print_styled, print_table


def test_elsewhere_than_on_a_terminal_a_row_is_a_line_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "text"], [("a", "two\nlines\tand a tab"), (None, 7)])
    assert capsys.readouterr().out == "name\ttext\na\ttwo lines and a tab\n\t7\n"


def test_on_a_terminal_a_table_is_drawn_and_its_texts_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["name"], [("[/b]",), ("[red]text",)], title="a title")
    shown = capsys.readouterr().out
    assert "[/b]" in shown
    assert "[red]text" in shown
    assert "\t" not in shown


def test_a_coloured_line_is_plain_elsewhere_and_holds_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_styled("[red]a\x1b[2J\u202eb\t→", "red")
    assert capsys.readouterr().out == "[red]a\\x1b[2J\\u202eb\t→\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "10")
    print_styled("a line that is longer than the terminal is wide", "red")
    assert "a line that is longer than the terminal is wide\n" in capsys.readouterr().out
