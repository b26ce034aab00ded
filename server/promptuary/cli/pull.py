"""Prompt files written from the registry. A file is overwritten only where the registry has what would be lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from promptuary.cli.held import Held, Holdings
from promptuary.cli.labels import aim
from promptuary.cli.written import write_all
from promptuary.prompt.document import InvalidFile
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import SUFFIXES, PromptFile, name_of, parse_prompt, read_text
from promptuary.prompt.file_writing import head_of, prompt_text
from promptuary.prompt.name import LATEST

State = Literal["new", "updated", "same", "left out"]
_MARKS: dict[State, str] = {"new": "+", "updated": "~", "same": "=", "left out": "!"}


@dataclass(frozen=True)
class Pulled:
    """What becomes of a prompt's file: its text where it is written, and what was in its way where it may not be."""

    prompt: str
    version: int | None
    path: Path
    state: State
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
    holdings: Holdings,
    folder: Path,
    *,
    label: str | None = None,
    prompts: Sequence[str] = (),
    labels: bool = True,
    force: bool = False,
) -> list[Pulled]:
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
    faults = [Fault(str(one.path), one.lost) for one in pulled if one.lost is not None]
    if faults and not force:
        raise Invalid("nothing was written, for files would lose what only they have (--force overwrites them)", faults)
    return pulled


def write(pulled: Sequence[Pulled]) -> None:
    """Write the files."""
    write_all({one.path: one.text for one in pulled if one.text is not None})


def path_of(folder: Path, name: str) -> Path:
    """Give the file in which a prompt of this name belongs: a dot is a folder, where that reads back as the name."""
    nested = folder.joinpath(*name.split(".")).with_name(name.rpartition(".")[2] + SUFFIXES[0])
    return nested if all(name.split(".")) else folder / f"{name}{SUFFIXES[0]}"


def _wanted(holdings: Holdings, prompts: Sequence[str], label: str | None) -> list[str]:
    in_use = {name: held for name, held in holdings.prompts.items() if not held.archived}
    faults = [
        Fault(name, "is archived" if name in holdings.prompts else "is not in the registry")
        for name in prompts
        if name not in in_use
    ]
    if faults:
        raise Invalid("the prompts cannot be pulled", faults)
    return sorted(
        name for name in set(prompts) or in_use if label in (None, LATEST) or name in prompts or label in in_use[name].labels
    )


def _paths(folder: Path) -> dict[str, Path]:
    """Find the files that are there, by the name that each gives its prompt."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        try:
            found.setdefault(name_of(path, folder), path)
        except InvalidFile:
            continue
    return found


def _pulled(holdings: Holdings, folder: Path, paths: dict[str, Path], name: str, label: str | None, labels: bool) -> Pulled:
    held = holdings.prompts[name]
    path = paths.get(name) or path_of(folder, name)
    if label is not None and label in held.splits:
        return Pulled(name, None, path, "left out", f"{label} is split {aim({'split': held.splits[label]})}: pull --latest")
    number = held.newest if label in (None, LATEST) else held.labels.get(label)
    if number is None:
        return Pulled(name, None, path, "left out", f"has no label {label}")
    body = holdings.version(name, number)
    content = holdings.as_written(body)
    led = tuple(sorted(_leading(held, number))) if labels else ()
    text = prompt_text(content, labels=led, message=body["message"], tags=body["tags"])
    try:
        assert holdings.says(parse_prompt(text, path, name).content, body), path
    except InvalidFile as error:  # registered by a release with other rules, or by one that has jinja2
        return Pulled(name, None, path, "left out", f"version {number} cannot be a file here: {error}")
    if not path.exists():
        return Pulled(name, number, path, "new", text=text)
    try:
        there = read_text(path)
        file = parse_prompt(there, path, name)
    except InvalidFile as error:
        return Pulled(name, number, path, "updated", text=text, lost=str(error).removeprefix(f"{path} "))
    if holdings.says(file.content, body) and not (labels and set(file.labels) - set(led) - _split_over(held, number)):
        return Pulled(name, number, path, "same")
    return Pulled(name, number, path, "updated", text=head_of(there) + text, lost=_lost(holdings, file, body))


def _leading(held: Held, number: int) -> list[str]:
    return [label for label, at in held.labels.items() if at == number and label not in held.splits]


def _split_over(held: Held, number: int) -> set[str]:
    return {label for label, split in held.splits.items() if number in {arm["version"] for arm in split["arms"]}}


def _lost(holdings: Holdings, file: PromptFile, body: Any) -> str | None:
    """Say what the registry does not have of a file; None where it has all of it."""
    if holdings.says(file.content, body):
        return f"names labels that are not at version {body['version']}: {', '.join(file.labels)}"
    for version in holdings.api.items(f"/prompts/{file.name}/versions"):
        if holdings.says(file.content, version):
            return None
    return "is no version that the registry has"
