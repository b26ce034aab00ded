"""The commands on the page on prompts as code exist, and its description of files and bundles is right."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from paths import ROOT
from promptuary.cli.main import app
from promptuary.cli.transfer.bundle import REQUEST_BYTES
from promptuary.prompt.files.bundle import REQUIRED_FIELDS, BundledPrompt
from promptuary.prompt.files.prompt_file import parse_prompt_file

PAGE = (ROOT / "docs" / "prompts-as-code.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
COMMANDS = sorted({line.partition("  #")[0].strip() for line in LINES})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_is_one_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = re.sub(r'"[^"]*"', "x", line).split()
    assert words.pop(0) == "promptuary"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option: parameter for parameter in command.params for option in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_the_file_of_the_page_can_be_used() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    prompt = parse_prompt_file(text, Path("prompts/support/triage.yaml"), "support.triage")
    assert (prompt.labels, prompt.tags) == (("staging",), ("support",))


def test_the_keys_of_a_bundle_are_the_codes() -> None:
    listed = re.findall(r"(?m)^\| `(\w+)` \|", PAGE.split("| key of a prompt |")[1].split("\n## ")[0])
    assert set(listed) == {*REQUIRED_FIELDS, "archivals"}
    assert {"versions", "history", "archivals"} <= set(BundledPrompt.__dataclass_fields__)
    assert f"({REQUEST_BYTES // 1000} kB)" in PAGE
