"""The types, outcomes, settings and commands on the page on promptfoo files are the code's."""

import re
from typing import Any

import pytest
import typer.main

from paths import ROOT
from promptuary.cli.main import app
from promptuary.evaluation.promptfoo.assertions import TYPE_ALIASES
from promptuary.evaluation.promptfoo.options import REFUSED_KEYS, REFUSED_TEST_KEYS, SUPPORTED_RUN_OPTIONS
from promptuary.evaluation.promptfoo.prompts import PROMPT_SUFFIXES
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.table_row import ASSERTION_TYPES, SPECIAL_ASSERTION_TYPES
from promptuary.evaluation.promptfoo.translation import DEFAULT_GATE
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.prompt.model_settings import SETTING_NAMES

PAGE = (ROOT / "docs" / "promptfoo.md").read_text(encoding="utf-8")
COMMANDS = [line.partition("  ")[0] for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


def section(title: str) -> str:
    return re.split(r"(?m)^## ", PAGE.split(f"## {title}\n")[1])[0]


def test_every_type_of_promptfoos_is_in_the_table_with_its_fate() -> None:
    outcomes = dict(re.findall(r"(?m)^\| `([a-z0-9:-]+)` \| (carried|refused)", section("Assertions")))
    assert outcomes.keys() == {*ASSERTION_TYPES, *SPECIAL_ASSERTION_TYPES}
    known = {name for name in outcomes if find_scorer_type(TYPE_ALIASES.get(name, name))}
    assert {name for name, fate in outcomes.items() if fate == "carried"} == known


def test_the_fates_are_those_of_the_report() -> None:
    assert re.findall(r"(?m)^\| `([a-z ]+)` \|", section("The report")) == [
        fate.value for fate in (PartOutcome.CARRIED, PartOutcome.CHANGED, PartOutcome.LEFT, PartOutcome.REFUSED)
    ]


def test_what_is_documented_as_carried_or_refused_is() -> None:
    rows = {row[0]: row[1:] for row in re.findall(r"(?m)^\| ([a-z ]+) \| (.*?) \| (.*?) \|$", PAGE)}
    words = {name: [set(re.findall(r"`([^`]+)`", cell)) for cell in cells] for name, cells in rows.items()}
    assert words["provider settings"][0] == {*SETTING_NAMES, "tools", "response_format"}
    assert words["settings"][0] == {*SUPPORTED_RUN_OPTIONS, "env", "$ref"}
    assert words["settings"][1] - {"filter…"} == REFUSED_KEYS.keys()
    assert set(PROMPT_SUFFIXES) - words["prompts"][0] == {".yml"}
    assert REFUSED_TEST_KEYS.keys() < words["tests"][1]


def test_the_gate_of_the_page_is_the_one_that_files_get() -> None:
    assert f"gate: [{{metric: {DEFAULT_GATE['metric']}, every: true}}]" in PAGE


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_is_one_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    assert words.pop(0) == "promptuary"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
