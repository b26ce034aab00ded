"""The commands, the receiver and the metrics on the page on schedules work as described."""

import re
from typing import Any

import pytest
import typer.main

from paths import ROOT
from promptuary.cli.main import app
from promptuary.scheduling.alert_webhook import GIVE_UP_AFTER, sign_body
from promptuary.scheduling.drops import HISTORY_RUNS, MIN_HISTORY_RUNS

PAGE = (ROOT / "docs" / "schedules.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


@pytest.mark.parametrize("line", sorted({line.partition("  #")[0].strip() for line in LINES}))
def test_every_command_of_the_page_is_one_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = re.sub(r'"[^"]*"', "x", line).split()
    assert words.pop(0) == "promptuary"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.setattr(names["time"], "time", lambda: 1_800_000_100.0)
    header = sign_body("s3cret", 1_800_000_000, b"{}")
    assert names["genuine"]("s3cret", header, b"{}") is True
    assert names["genuine"]("s3cret", header, b"{ }") is False
    assert names["genuine"]("other", header, b"{}") is False
    assert names["genuine"]("s3cret", sign_body("s3cret", 1_799_000_000, b"{}"), b"{}") is False


def test_the_numbers_of_the_page_are_the_codes() -> None:
    words = {2: "two", 5: "five"}
    assert f"last {words[HISTORY_RUNS]}\nfinished runs" in PAGE
    assert f"Fewer than {words[MIN_HISTORY_RUNS]}\n  runs" in PAGE
    assert GIVE_UP_AFTER.days == 1
