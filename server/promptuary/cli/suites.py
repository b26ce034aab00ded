"""Suites as files, brought into the registry: the suite, its dataset, and the versions of a prompt that a folder has.

A promptfoo file is a suite, too: its prompts become the versions that the run tries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from promptuary.cli.connection import Api, NotInstalled, part
from promptuary.cli.registry import content_body, register
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import PromptFile

if TYPE_CHECKING:
    from promptuary.evaluation.promptfoo.report import Report
    from promptuary.evaluation.promptfoo.translation import Translation
    from promptuary.evaluation.spool import Spool
    from promptuary.evaluation.suite import Suite


@dataclass(frozen=True)
class Stored:
    """A suite that the registry has, and the versions of its prompt that its file brought along; none for most files."""

    name: str
    prompt: str
    versions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How promptfoo files are read: without what is refused, by which judge, for which models in place of their own."""

    partial: bool = False
    judge: str | None = None
    models: Sequence[str] | None = None


def stored(api: Api, suite: str, reading: Reading | None = None) -> Stored:
    """Store a suite's file and its dataset, or find the suite by name."""
    path = Path(suite)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        definition = api.get(f"/suites/{part(suite)}")["definition"]
        return Stored(definition["name"], definition["prompt"])
    try:
        from promptuary.evaluation.promptfoo.config import is_promptfoo_file
        from promptuary.evaluation.promptfoo.translation import NotCarried, translate
        from promptuary.evaluation.suite import read_suite
    except ModuleNotFoundError as error:
        raise NotInstalled(f"suite files need {error.name}; install promptuary[server,evaluation]") from None
    if is_promptfoo_file(path):
        reading = reading or Reading()
        try:
            made = translate(path, partial=reading.partial, judge=reading.judge, models=reading.models)
        except NotCarried as error:
            _tell(path, error.report)
            raise
        _tell(path, made.report)
        return _translated(api, made)
    file = read_suite(path)
    _store(api, file.suite, Path(file.suite.dataset).stem.lower(), file.cases)
    return Stored(file.suite.name, file.suite.prompt)


def _translated(api: Api, made: "Translation") -> Stored:
    """Store what a promptfoo file became."""
    from promptuary.evaluation.spool import Spool

    versions = registered_all(api, made.suite.prompt, made.contents, made.labels)
    _store(api, made.suite, made.suite.dataset, Spool(made.cases))
    return Stored(made.suite.name, made.suite.prompt, versions)


def _tell(path: Path, report: "Report") -> None:
    """Say on standard error what became of each part of a promptfoo file."""
    for text in report.lines():
        typer.echo(f"{path.name}: {text}", err=True)


def _store(api: Api, suite: "Suite", dataset: str, cases: "Spool") -> None:
    from promptuary.evaluation.suite import suite_json

    api.post_lines(f"/datasets/{part(dataset)}/versions", cases.pieces())
    api.put(f"/suites/{suite.name}", suite_json(suite) | {"dataset": dataset})


def registered(api: Api, tried: list[PromptFile], prompt: str) -> int:
    """Register the folder's version of a prompt, under no label, and give its number."""
    found = next((file for file in tried if file.name == prompt), None)
    if found is None:
        raise Invalid("the folder of --prompts has no file for the suite's prompt", [Fault("prompt", f"'{prompt}'")])
    return int(register(api, found, labels=())["version"])


def registered_all(api: Api, prompt: str, contents: Sequence[Content], messages: Sequence[str]) -> tuple[int, ...]:
    """Register contents as versions of one prompt, under no label; one that any version has already keeps its number."""
    known = _known(api, prompt)
    numbers: list[int] = []
    for content, message in zip(contents, messages, strict=True):
        digest = content_digest(content)
        if digest not in known:
            said: dict[str, Any] = {"message": " ".join(message.split())[:200], "labels": []}
            known[digest] = int(api.post(f"/prompts/{part(prompt)}/versions", content_body(content) | said)["version"])
        numbers.append(known[digest])
    return tuple(numbers)


def _known(api: Api, prompt: str) -> dict[str, int]:
    """Give the number of each content that the prompt has had, by digest."""
    listed = [one["name"] for one in api.items("/prompts", search=prompt)]
    if prompt not in listed:
        return {}
    return {one["digest"]: int(one["version"]) for one in api.items(f"/prompts/{part(prompt)}/versions")}
