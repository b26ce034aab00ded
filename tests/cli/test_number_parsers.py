"""The numbers of the command line are read strictly."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
import typer

from cli.conftest import Run
from promptuary.cli.main import app


def callbacks(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield from callbacks(command) if hasattr(command, "commands") else [inspect.unwrap(command.callback)]


def test_every_numeric_option_has_a_strict_parser() -> None:
    lax = []
    for command in callbacks(typer.main.get_command(app)):
        hints = get_type_hints(command, include_extras=True)
        for name in inspect.signature(command).parameters:
            kind, *annotations = get_args(hints[name]) or (hints[name],)
            if {int, float} & {kind, *get_args(kind)} and not any(getattr(note, "parser", None) for note in annotations):
                lax.append(f"{command.__module__}.{command.__name__}({name})")
    assert lax == []


@pytest.mark.parametrize("text", ["1_0", "+1", "\uff11", "1.0", "01"])
def test_a_version_is_plain_digits_on_the_command_line(run: Run, word: Any, text: str) -> None:
    for arguments in (("get", "word", "--version", text), ("label", "set", "word", "production", text)):
        result = run(*arguments)
        assert (result.code, "must be a whole number in plain digits" in result.err) == (64, True)
    assert "must be VERSION=WEIGHT" in run("label", "split", "word", "production", f"{text}=1", "1=1").err
