"""Prompt files written from the registry. A file is overwritten only where the registry has what would be lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from promptuary.cli.atomic_files import write_files
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import PromptState, RegistryState
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import SUFFIXES, PromptFile, parse_prompt_file, prompt_name, read_text
from promptuary.prompt.files.prompt_file_writer import leading_comments, prompt_file_text
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import LATEST

PullState = Literal["new", "updated", "same", "left out"]
_MARKS: dict[PullState, str] = {"new": "+", "updated": "~", "same": "=", "left out": "!"}


@dataclass(frozen=True)
class PulledPrompt:
    """What becomes of a prompt's file: its text where it is written, and what was in its way where it may not be."""

    prompt: str
    version: int | None
    path: Path
    state: PullState
    told: str = ""
    text: str | None = None
    lost: str | None = None

    def describe(self) -> str:
        """Give it as a line."""
        what = self.told or f"version {self.version}  {self.path}"
        return f"{_MARKS[self.state]} {self.prompt}  {what}"

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "prompt": self.prompt,
            "version": self.version,
            "file": str(self.path),
            "state": self.state,
            "detail": self.told,
        }


def pull(
    holdings: RegistryState,
    folder: Path,
    *,
    label: str | None = None,
    prompts: Sequence[str] = (),
    labels: bool = True,
    force: bool = False,
) -> list[PulledPrompt]:
    """Say what becomes of each prompt's file; `write` does it.

    Args:
        holdings: what the registry has.
        folder: where the files are, or will be.
        label: take the version under this label, of prompts that have it; by default the newest.
        prompts: only these; by default all that are in use.
        labels: whether the files name the labels that lead to their version.
        force: whether a file is overwritten that has changes of its own.

    Raises:
        Invalid: naming the files that have changes of their own, or a prompt that is not there.
    """
    wanted = _wanted(holdings, prompts, label)
    paths = _paths(folder)
    pulled = [_pulled(holdings, folder, paths, name, label, labels) for name in wanted]
    field_errors = [FieldError(str(one.path), one.lost) for one in pulled if one.lost is not None]
    if field_errors and not force:
        raise Invalid("nothing was written, for files would lose what only they have (--force overwrites them)", field_errors)
    return pulled


def write(pulled: Sequence[PulledPrompt]) -> None:
    """Write the files."""
    write_files({one.path: one.text for one in pulled if one.text is not None})


def path_of(folder: Path, name: str) -> Path:
    """Give the file in which a prompt of this name belongs: a dot is a folder, where that reads back as the name."""
    nested = folder.joinpath(*name.split(".")).with_name(name.rpartition(".")[2] + SUFFIXES[0])
    return nested if all(name.split(".")) else folder / f"{name}{SUFFIXES[0]}"


def _wanted(holdings: RegistryState, prompts: Sequence[str], label: str | None) -> list[str]:
    in_use = {name: held for name, held in holdings.prompts.items() if not held.archived}
    field_errors = [
        FieldError(name, "is archived" if name in holdings.prompts else "is not in the registry")
        for name in prompts
        if name not in in_use
    ]
    if field_errors:
        raise Invalid("the prompts cannot be pulled", field_errors)
    return sorted(
        name for name in set(prompts) or in_use if label in (None, LATEST) or name in prompts or label in in_use[name].labels
    )


def _paths(folder: Path) -> dict[str, Path]:
    """Find the files that are there, by the name that each gives its prompt."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        try:
            found.setdefault(prompt_name(path, folder), path)
        except InvalidFile:
            continue
    return found


def _pulled(
    holdings: RegistryState, folder: Path, paths: dict[str, Path], name: str, label: str | None, labels: bool
) -> PulledPrompt:
    held = holdings.prompts[name]
    path = paths.get(name) or path_of(folder, name)
    if label is not None and label in held.splits:
        return PulledPrompt(
            name, None, path, "left out", f"{label} is split {describe_target({'split': held.splits[label]})}: pull --latest"
        )
    number = held.newest if label in (None, LATEST) else held.labels.get(label)
    if number is None:
        return PulledPrompt(name, None, path, "left out", f"has no label {label}")
    body = holdings.version(name, number)
    content = holdings.as_written(body)
    led = tuple(sorted(_leading(held, number))) if labels else ()
    text = prompt_file_text(content, labels=led, message=body["message"], tags=body["tags"])
    try:
        assert holdings.says(parse_prompt_file(text, path, name).content, body), path
    except InvalidFile as error:  # registered by a release with other rules, or by one that has jinja2
        return PulledPrompt(name, None, path, "left out", f"version {number} cannot be a file here: {error}")
    if not path.exists():
        return PulledPrompt(name, number, path, "new", text=text)
    try:
        there = read_text(path)
        file = parse_prompt_file(there, path, name)
    except InvalidFile as error:
        return PulledPrompt(name, number, path, "updated", text=text, lost=str(error).removeprefix(f"{path} "))
    if holdings.says(file.content, body) and not (labels and set(file.labels) - set(led) - _split_over(held, number)):
        return PulledPrompt(name, number, path, "same")
    return PulledPrompt(name, number, path, "updated", text=leading_comments(there) + text, lost=_lost(holdings, file, body))


def _leading(held: PromptState, number: int) -> list[str]:
    return [label for label, at in held.labels.items() if at == number and label not in held.splits]


def _split_over(held: PromptState, number: int) -> set[str]:
    return {label for label, split in held.splits.items() if number in {arm["version"] for arm in split["arms"]}}


def _lost(holdings: RegistryState, file: PromptFile, body: Any) -> str | None:
    """Say what the registry does not have of a file; None where it has all of it."""
    if holdings.says(file.content, body):
        return f"names labels that are not at version {body['version']}: {', '.join(file.labels)}"
    for version in holdings.api.items(f"/prompts/{file.name}/versions"):
        if holdings.says(file.content, version):
            return None
    return "is no version that the registry has"
