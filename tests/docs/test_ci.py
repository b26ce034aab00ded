"""The commands, options and inputs on the page on CI exist."""

import re
from typing import Any

import pytest
import typer.main
import yaml

from paths import ROOT
from promptuary.cli.evaluation.interruption import EXIT_INTERRUPTED
from promptuary.cli.evaluation.runs import EXIT_CODES
from promptuary.cli.main import app
from promptuary.cli.output import EXIT_USAGE

PAGE = (ROOT / "docs" / "ci.md").read_text()
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "github" / "action.yml").read_text())
TEMPLATE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "gitlab" / "promptuary.gitlab-ci.yml").read_text())[".promptuary"]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
LINES = [
    line.partition("  #")[0].strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_of_the_page_is_one_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    assert words.pop(0) == "promptuary"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_the_options_of_reports_are_those_of_both_commands() -> None:
    options = set(re.findall(r"(?m)^\| `(--\w+)` \|", PAGE))
    group: Any = typer.main.get_command(app)
    for name in ("run", "report"):
        known = {option for parameter in group.commands["eval"].commands[name].params for option in parameter.opts}
        assert options <= known
    assert options == {"--junit", "--summary", "--html", "--json"}


def test_the_exit_codes_are_the_codes() -> None:
    codes = {int(code): verdict for code, verdict in re.findall(r"(?m)^\| (\d+) \| (\w+)", PAGE)}
    others = {EXIT_USAGE: "bad", EXIT_INTERRUPTED: "interrupted"}
    assert codes == {code: verdict for verdict, code in EXIT_CODES.items()} | others


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_uses_what_there_is(example: str) -> None:
    document = yaml.safe_load(example)
    if "include" in document:
        (included,) = document["include"]
        assert (ROOT / included["local"]).is_file()
        assert set(document["prompts"]["variables"]) <= set(TEMPLATE["variables"])
        return
    steps = (
        document["jobs"]["evaluate"]["steps"] if "jobs" in document else document if isinstance(document, list) else [document]
    )
    arguments = [step["with"] for step in steps if "suites" in step.get("with", {})]
    assert len(arguments) == 1
    assert set(arguments[0]) <= set(ACTION["inputs"])
    for output in re.findall(r"outputs\.([\w-]+)", example):
        assert output in ACTION["outputs"]


def test_the_tables_list_every_input_output_and_variable() -> None:
    listed = set(re.findall(r"(?m)^\| `(\w[\w-]*)` \|", PAGE)) - set(TEMPLATE["variables"])
    assert set(ACTION["inputs"]) | set(ACTION["outputs"]) == listed
    assert [name for name in TEMPLATE["variables"] if f"`{name}`" not in PAGE] == []
