"""Tables for people and for pipes, and the escapes of hidden characters in both."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import WORD, Run
from promptuary.cli.output import print_content, print_json, print_line, print_styled, print_table, report_error
from promptuary.prompt.errors import FieldError, Invalid

FOREIGN_TEXT = "a\x1b[2J\u202eb"
ESCAPED_TEXT = "a\\x1b[2J\\u202eb"


def _fake_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: int = 80) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))


def test_elsewhere_than_on_a_terminal_a_row_is_a_line_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "text"], [("a", "two\nlines\tand a tab"), (None, 7)])
    assert capsys.readouterr().out == "name\ttext\na\ttwo lines and a tab\n\t7\n"


def test_on_a_terminal_a_table_is_drawn_and_its_texts_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["name"], [("[/b]",), ("[red]text",)], title="a title")
    output = capsys.readouterr().out
    assert "[/b]" in output
    assert "[red]text" in output
    assert "\t" not in output


def test_a_styled_line_is_plain_elsewhere_and_escapes_hidden_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_styled("[red]a\x1b[2J\u202eb\t→", "red")
    assert capsys.readouterr().out == "[red]a\\x1b[2J\\u202eb\t→\n"
    _fake_terminal(monkeypatch, columns=10)
    print_styled("a line that is longer than the terminal is wide", "red")
    assert "a line that is longer than the terminal is wide\n" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_tables_and_lines_escape_hidden_characters_everywhere(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if terminal:
        _fake_terminal(monkeypatch)
    print_table(["text"], [(FOREIGN_TEXT,)])
    print_line(FOREIGN_TEXT + "\nnext\tline")
    lines = capsys.readouterr().out.splitlines()
    assert [lines[1].rstrip(), *lines[2:]] == [ESCAPED_TEXT, ESCAPED_TEXT, "next\tline"]


def test_an_error_is_one_line_with_hidden_characters_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(Invalid("bad\ninput", [FieldError("field", FOREIGN_TEXT)]))
    assert capsys.readouterr().err == f"promptuary: bad input: field: {ESCAPED_TEXT}\n"


def test_json_has_the_exact_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_terminal(monkeypatch)
    print_json({"text": FOREIGN_TEXT})
    output = capsys.readouterr().out
    assert json.loads(output) == {"text": FOREIGN_TEXT}
    assert "\u202e" in output


def test_a_prompts_text_is_exact_in_a_pipe_and_escaped_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_content(FOREIGN_TEXT)
    assert capsys.readouterr().out == f"{FOREIGN_TEXT}\n"
    _fake_terminal(monkeypatch)
    print_content(FOREIGN_TEXT)
    assert capsys.readouterr().out == f"{ESCAPED_TEXT}\n"


def test_foreign_text_of_the_registry_reaches_programs_exactly_and_people_escaped(
    run: Run, word: Path, write: Callable[[str, str], Path]
) -> None:
    message = "better\x1b[2J"
    version = {**WORD, "template": "New: {{text}}", "message": message}
    run("push", write("prompts/word.yaml", json.dumps(version)))
    run("label", "set", "word", "production", 2, "--reason", message)
    assert run("get", "word", "--version", 2, "--json").json["message"] == message
    assert run("label", "history", "word", "production", "--json").json[0]["reason"] == message
    history = run("label", "history", "word", "production").out
    assert history.splitlines()[1].endswith("\tbetter\\x1b[2J")
    assert "\x1b" not in history
    error = run("get", "word", "--label", message)
    assert (error.code, "\x1b" in error.err, "\\x1b[2J" in error.err) == (64, False, True)
