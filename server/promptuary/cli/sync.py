"""`promptuary sync plan | apply`: a folder of prompt files brought into the registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from promptuary.cli.connection import Api, connect
from promptuary.cli.output import AsJson, Project, as_json, line
from promptuary.cli.registry import register
from promptuary.prompt.digest import content_digest
from promptuary.prompt.document import InvalidFile
from promptuary.prompt.errors import Fault
from promptuary.prompt.file import PromptFile, find_prompts
from promptuary.prompt.name import is_name

app = typer.Typer(help="Prompts as code: bring a folder of prompt files into the registry.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The folder; prompts/ by default.")]
PROMPTS = Path("prompts")


@dataclass(frozen=True)
class Step:
    """What applying one file will do: register a version, move labels, or nothing."""

    prompt: PromptFile
    newest: int
    registers: bool
    moves: tuple[str, ...]

    def describe(self) -> str:
        """Give the step as a line of the plan."""
        version = self.newest + 1 if self.registers else self.newest
        mark = "+" if self.registers else "~" if self.moves else "="
        what = f"version {version}" + ("" if self.registers else " is there already")
        moved = f", {' '.join(self.moves)} → {version}" if self.moves else ""
        return f"{mark} {self.prompt.name}  {what}{moved}"


def plan(api: Api, folder: Path) -> list[Step]:
    """Compare the files with the newest versions. Checks every file before anything is asked, so a bad one stops all."""
    prompts = find_prompts(folder)
    for prompt in prompts:
        _check_labels(prompt)
    return [_step(api, prompt) for prompt in prompts]


def _check_labels(prompt: PromptFile) -> None:
    faults = [
        Fault("labels", f"'{label}' cannot be set: labels are names of a-z 0-9 _ . -, and `latest` moves by itself")
        for label in prompt.labels
        if not is_name(label) or label == "latest"
    ]
    if faults:
        raise InvalidFile(f"{prompt.path} cannot be used", faults)


def _step(api: Api, prompt: PromptFile) -> Step:
    newest = api.found(f"/prompts/{prompt.name}", label="latest")
    if newest is None:
        return Step(prompt, 0, registers=True, moves=prompt.labels)
    registers = newest["digest"] != content_digest(prompt.content)
    held = () if registers else newest["labels"]
    return Step(prompt, newest["version"], registers, tuple(label for label in prompt.labels if label not in held))


@app.command("plan")
def show_plan(folder: Folder = PROMPTS, project: Project = None, json: AsJson = False) -> None:
    """Say what `apply` would do."""
    with connect(project) as api:
        steps = plan(api, folder)
    if json:
        as_json([{"prompt": step.prompt.name, "registers": step.registers, "moves": step.moves} for step in steps])
        return
    for step in steps:
        line(step.describe())


@app.command("apply")
def apply(folder: Folder = PROMPTS, project: Project = None, json: AsJson = False) -> None:
    """Register what is new, and move the labels that the files name."""
    with connect(project) as api:
        steps = plan(api, folder)
        versions = [register(api, step.prompt) for step in steps]
    if json:
        as_json(versions)
        return
    for step in steps:
        line(step.describe())
