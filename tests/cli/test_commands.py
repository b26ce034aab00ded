"""The commands are loaded one by one, and the help lists each with the first line of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.conftest import Run
from promptuary.cli.commands import COMMANDS
from promptuary.cli.lazy_group import LazyCommand
from promptuary.cli.main import app

Write = Callable[[str, str], Path]
HELP_MODULES = ("commands", "evaluation", "evaluation.interruption", "lazy_group", "main", "output")
IMPORTED_BY = """
import json, sys
from promptuary.cli.main import main
sys.argv[1:] = json.loads(sys.argv[1])
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code or 0, sorted(sys.modules)]), file=sys.stderr)
"""


def imported_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTED_BY, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_all_commands_has_the_first_line_of_each(command: LazyCommand) -> None:
    group: Any = typer.main.get_command(app)
    loaded = group.commands[command.name]
    assert (loaded.name, loaded.help, loaded.rich_help_panel) == (command.name, command.help, command.panel)


WEB = ("alembic", "anyio", "fastapi", "httpx", "numpy", "starlette", "uvicorn")
UNLESS_RENDERING = ("jsonschema", "rich", "structlog")
DIRECT = (
    ("prompts",),
    ("get", "word"),
    ("get", "word", "--version", "1", "--json"),
    ("render", "word", "--var", "text=yes"),
    ("diff", "word", "1", "latest"),
    ("push", "--name", "other", "{file}"),
    ("label", "set", "word", "staging", "1", "--reason", "tried, and good"),
    ("label", "history", "word", "production"),
    ("archive", "word", "--reason", "old"),
)


@pytest.mark.process
@pytest.mark.parametrize("arguments", DIRECT, ids=lambda arguments: arguments[0])
def test_a_command_of_the_registry_imports_no_web_framework(
    run: Run, word: Any, data_dir: Path, write: Write, arguments: tuple[str, ...]
) -> None:
    file = str(write("other.yaml", "type: text\ntemplate: Hi {{name}}\n"))
    modules = imported_by(*(argument.format(file=file) for argument in arguments))
    assert modules & {*WEB, *(UNLESS_RENDERING if arguments[0] != "render" else ())} == set()
    assert {name for name in modules if name.startswith(("promptuary.evaluation", "promptuary.compat"))} == set()


@pytest.mark.process
def test_the_help_imports_no_command() -> None:
    modules = imported_by("--help")
    own = {name for name in modules if name.startswith("promptuary.cli.")}
    assert own == {f"promptuary.cli.{name}" for name in HELP_MODULES}
    assert modules & {"httpx", "pydantic", "yaml", "jsonschema", "asyncio"} == set()
