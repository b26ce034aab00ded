"""The commands, settings and files that the README names exist."""

import re
from typing import Any

import pytest
import typer.main

from paths import ROOT
from promptuary.cli.main import app
from promptuary.core.settings import Settings

README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
COMMANDS = sorted(set(re.findall(r"(?m)(?:^|`)promptuary ([a-z]+(?: [a-z]+)?)[^`\n]*", SHELL + README)))
CLIENT_VARIABLES = {"PROMPTUARY_URL", "PROMPTUARY_API_KEY"}


def test_the_readme_shows_commands() -> None:
    assert {"sync apply", "eval run", "up", "init"} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_of_the_readme_is_one(words: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in words.split():
        if not hasattr(command, "commands"):
            break  # an argument of the command before it
        assert word in command.commands, f"promptuary {words}"
        command = command.commands[word]


def test_every_option_of_the_readme_is_one() -> None:
    command: Any = typer.main.get_command(app)
    known = {"--version"} | {option for leaf in _leaves(command) for param in leaf.params for option in param.opts}
    options = {
        option for line in SHELL.splitlines() if line.startswith("promptuary ") for option in re.findall(r" (--[a-z-]+)", line)
    }
    assert options <= known


def _leaves(command: Any) -> list[Any]:
    return [leaf for inner in getattr(command, "commands", {}).values() for leaf in _leaves(inner)] or [command]


def test_every_variable_of_the_readme_is_a_setting() -> None:
    fields = {f"PROMPTUARY_{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES
    assert set(re.findall(r"PROMPTUARY_[A-Z0-9_]+[A-Z0-9]", README)) <= fields


def test_every_file_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"(?<!v1/)(?:evals|prompts|docs)/[a-z_./-]+[a-z]", README))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_two_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert re.search(rf"(?m)^{target}:", makefile)
