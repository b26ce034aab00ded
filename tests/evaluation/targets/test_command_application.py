"""An application that is a command: its output, its errors, and no shell."""

import asyncio
from pathlib import Path

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.targets.application import ApplicationQuestion
from promptuary.evaluation.targets.command_application import CommandApplication
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable


def run(*command: str, prompt: str | None = "abc", folder: Path | None = None) -> object:
    application = CommandApplication(command, str(folder) if folder else None)
    return asyncio.run(application.ask(ApplicationQuestion(Case("c", {"q": "hi"}), {"q": "hi"}, prompt, 0), {})).value


def test_the_prompt_follows_the_commands_own_arguments(tmp_path: Path) -> None:
    (tmp_path / "say.sh").write_text('printf "got %s\\n" "$1"')
    assert run("sh", "say.sh", folder=tmp_path) == "got abc"
    assert run("sh", "say.sh", prompt=None, folder=tmp_path) == 'got {"q": "hi"}'


def test_nothing_in_the_prompt_is_expanded() -> None:
    assert run("printf", "%s\\n", prompt="$(id); `id` $HOME *").startswith("$(id); `id` $HOME *")  # type: ignore[attr-defined]  # it is a text


def test_another_exit_code_is_an_error_with_what_was_written() -> None:
    with pytest.raises(ApplicationFailed, match="ended with code 4: no such user"):
        run("sh", "-c", "echo no such user >&2; exit 4")


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(ApplicationUnusable, match="the command 'no-such-command-here' cannot be run"):
        run("no-such-command-here")
