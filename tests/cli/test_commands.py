"""The commands are loaded one by one, and the help lists each with the first line of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest
import typer

from promptuary.cli.commands import COMMANDS
from promptuary.cli.lazy_group import LazyCommand
from promptuary.cli.main import app

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


@pytest.mark.process
def test_the_help_imports_no_command() -> None:
    modules = imported_by("--help")
    own = {name for name in modules if name.startswith("promptuary.cli.")}
    assert own == {f"promptuary.cli.{name}" for name in HELP_MODULES}
    assert modules & {"httpx", "pydantic", "yaml", "jsonschema", "asyncio"} == set()
