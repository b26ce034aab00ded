"""Suites as files, brought into the registry: the suite, its dataset, and the versions of a prompt that a folder has.

A promptfoo file is a suite, too: its prompts become the versions that the run tries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from promptuary.cli.connection import ApiClient, NotInstalled, path_segment
from promptuary.cli.registry.prompts import content_body, register
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile

if TYPE_CHECKING:
    from promptuary.evaluation.datasets.case_spool import CaseSpool
    from promptuary.evaluation.promptfoo.report import TranslationReport
    from promptuary.evaluation.promptfoo.translation import Translation
    from promptuary.evaluation.suites.suite import Suite


@dataclass(frozen=True)
class StoredSuite:
    """A suite that the registry has, and the versions of its prompt that its file brought along; none for most files."""

    name: str
    prompt: str
    versions: tuple[int, ...] = ()


@dataclass(frozen=True)
class PromptfooOptions:
    """How promptfoo files are read: without what is refused, by which judge, for which models in place of their own."""

    partial: bool = False
    judge: str | None = None
    models: Sequence[str] | None = None


def store_suite(api: ApiClient, suite: str, reading: PromptfooOptions | None = None) -> StoredSuite:
    """Store a suite's file and its dataset, or find the suite by name."""
    path = Path(suite)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        definition = api.get(f"/suites/{path_segment(suite)}")["definition"]
        return StoredSuite(definition["name"], definition["prompt"])
    try:
        from promptuary.evaluation.promptfoo.config import is_promptfoo_file
        from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate
        from promptuary.evaluation.suites.suite import read_suite
    except ModuleNotFoundError as error:
        raise NotInstalled(f"suite files need {error.name}; install promptuary[server,evaluation]") from None
    if is_promptfoo_file(path):
        reading = reading or PromptfooOptions()
        try:
            made = translate(path, partial=reading.partial, judge=reading.judge, models=reading.models)
        except UnsupportedParts as error:
            _print_report(path, error.report)
            raise
        _print_report(path, made.report)
        return _store_translation(api, made)
    file = read_suite(path)
    _store(api, file.suite, Path(file.suite.dataset).stem.lower(), file.cases)
    return StoredSuite(file.suite.name, file.suite.prompt)


def _store_translation(api: ApiClient, made: "Translation") -> StoredSuite:
    """Store what a promptfoo file became."""
    from promptuary.evaluation.datasets.case_spool import CaseSpool

    versions = register_contents(api, made.suite.prompt, made.contents, made.labels)
    _store(api, made.suite, made.suite.dataset, CaseSpool(made.cases))
    return StoredSuite(made.suite.name, made.suite.prompt, versions)


def _print_report(path: Path, report: "TranslationReport") -> None:
    """Say on standard error what became of each part of a promptfoo file."""
    for text in report.lines():
        typer.echo(f"{path.name}: {text}", err=True)


def _store(api: ApiClient, suite: "Suite", dataset: str, cases: "CaseSpool") -> None:
    from promptuary.evaluation.suites.suite import suite_to_json

    api.post_lines(f"/datasets/{path_segment(dataset)}/versions", cases.pieces())
    api.put(f"/suites/{suite.name}", suite_to_json(suite) | {"dataset": dataset})


def register_candidate(api: ApiClient, tried: list[PromptFile], prompt: str) -> int:
    """Register the folder's version of a prompt, under no label, and give its number."""
    found = next((file for file in tried if file.name == prompt), None)
    if found is None:
        raise Invalid("the folder of --prompts has no file for the suite's prompt", [FieldError("prompt", f"'{prompt}'")])
    return int(register(api, found, labels=())["version"])


def register_contents(api: ApiClient, prompt: str, contents: Sequence[Content], messages: Sequence[str]) -> tuple[int, ...]:
    """Register contents as versions of one prompt, under no label; one that any version has already keeps its number."""
    known = _known_digests(api, prompt)
    numbers: list[int] = []
    for content, message in zip(contents, messages, strict=True):
        digest = content_digest(content)
        if digest not in known:
            said: dict[str, Any] = {"message": " ".join(message.split())[:200], "labels": []}
            known[digest] = int(api.post(f"/prompts/{path_segment(prompt)}/versions", content_body(content) | said)["version"])
        numbers.append(known[digest])
    return tuple(numbers)


def _known_digests(api: ApiClient, prompt: str) -> dict[str, int]:
    """Give the number of each content that the prompt has had, by digest."""
    listed = [one["name"] for one in api.items("/prompts", search=prompt)]
    if prompt not in listed:
        return {}
    return {one["digest"]: int(one["version"]) for one in api.items(f"/prompts/{path_segment(prompt)}/versions")}
