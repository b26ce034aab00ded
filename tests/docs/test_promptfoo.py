"""What the page on promptfoo files says of types, fates, settings and commands is so."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from promptuary.cli.main import app
from promptuary.evaluation.models import CONFIG
from promptuary.evaluation.promptfoo.asserts import OURS
from promptuary.evaluation.promptfoo.options import OTHERS, REFUSED, RUN_TAKEN
from promptuary.evaluation.promptfoo.prompts import ENDINGS
from promptuary.evaluation.promptfoo.report import Fate
from promptuary.evaluation.promptfoo.row import SPECIAL, TYPES
from promptuary.evaluation.promptfoo.translation import GATE
from promptuary.evaluation.scorers.registry import kind_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "promptfoo.md").read_text(encoding="utf-8")
COMMANDS = [line.partition("  ")[0] for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


def section(title: str) -> str:
    return re.split(r"(?m)^## ", PAGE.split(f"## {title}\n")[1])[0]


def test_every_type_of_promptfoos_is_in_the_table_with_its_fate() -> None:
    told = dict(re.findall(r"(?m)^\| `([a-z0-9:-]+)` \| (carried|refused)", section("Assertions")))
    assert told.keys() == {*TYPES, *SPECIAL}
    known = {name for name in told if name != "javascript" and kind_of(OURS.get(name, name))}
    assert {name for name, fate in told.items() if fate == "carried"} == known


def test_the_fates_are_those_of_the_report() -> None:
    assert re.findall(r"(?m)^\| `([a-z ]+)` \|", section("The report")) == [
        fate.value for fate in (Fate.CARRIED, Fate.CHANGED, Fate.LEFT, Fate.REFUSED)
    ]


def test_what_is_said_to_be_carried_or_refused_is() -> None:
    rows = {row[0]: row[1:] for row in re.findall(r"(?m)^\| ([a-z ]+) \| (.*?) \| (.*?) \|$", PAGE)}
    words = {name: [set(re.findall(r"`([^`]+)`", cell)) for cell in cells] for name, cells in rows.items()}
    assert words["provider settings"][0] == {*CONFIG, "tools", "response_format"}
    assert words["settings"][0] == {*RUN_TAKEN, "env", "$ref"}
    assert words["settings"][1] - {"filter…"} < REFUSED.keys()
    assert set(ENDINGS) - words["prompts"][0] == {".yml"}
    assert OTHERS.keys() < words["tests"][1]


def test_the_gate_of_the_page_is_the_one_that_files_get() -> None:
    assert f"gate: [{{metric: {GATE['metric']}, every: true}}]" in PAGE


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_is_one_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    assert words.pop(0) == "promptuary"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
