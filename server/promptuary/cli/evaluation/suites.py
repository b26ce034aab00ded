"""Suite files and their registration: the suite, its dataset, and the versions of a prompt from a folder.

A promptfoo file is a suite as well: its prompts become the versions that the run evaluates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptuary.cli.connection import ApiClient, NotInstalled, path_segment
from promptuary.cli.output import print_notice
from promptuary.cli.registry.prompts import content_body, register
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.bundle import is_erased
from promptuary.prompt.files.prompt_file import PromptFile
from promptuary.prompt.name import fold_name

if TYPE_CHECKING:
    from promptuary.evaluation.datasets.case_spool import CaseSpool
    from promptuary.evaluation.promptfoo.report import TranslationReport
    from promptuary.evaluation.promptfoo.translation import Translation
    from promptuary.evaluation.suites.suite import Suite, SuiteFile


@dataclass(frozen=True)
class SuiteInRegistry:
    """A suite in the registry.

    Attributes:
        name: the suite's.
        prompt: the prompt's name; None where the suite evaluates applications.
        versions: of the prompt, that the suite's file contained; most files contain none.
        dataset_version: that the file has; None for a suite that was in the registry, which takes the newest.
    """

    name: str
    prompt: str | None
    versions: tuple[int, ...] = ()
    dataset_version: int | None = None


@dataclass(frozen=True)
class SuiteSource:
    """A suite as a command names it, read and checked, and not yet stored.

    Attributes:
        argument: what the command has: a file, or a name in the registry.
        file: of a suite's file.
        translation: of a promptfoo file.
    """

    argument: str
    file: "SuiteFile | None" = None
    translation: "Translation | None" = None


@dataclass(frozen=True)
class PromptfooOptions:
    """How promptfoo files are read.

    Attributes:
        partial: whether parts that are not supported are omitted; else they are an error.
        judge: the model that judges in place of the file's graders.
        models: in place of the file's providers.
    """

    partial: bool = False
    judge: str | None = None
    models: Sequence[str] | None = None


def store_suite(api: ApiClient, suite: str, options: PromptfooOptions | None = None) -> SuiteInRegistry:
    """Store a suite's file and its dataset, or find the suite by name; raise as `read_source`."""
    return store_source(api, read_source(suite, options or PromptfooOptions()))


def read_source(suite: str, options: PromptfooOptions) -> SuiteSource:
    """Read a suite's file and its dataset; the name of a suite in the registry is taken as it is.

    Raises:
        NotInstalled: when a part that suite files need is not installed.
        InvalidFile: for a file that cannot be used.
        UnsupportedParts: for a promptfoo file with parts that are not supported; each has been printed.
    """
    path = Path(suite)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        return SuiteSource(suite)
    try:
        from promptuary.evaluation.promptfoo.config import is_promptfoo_file
        from promptuary.evaluation.suites.suite import read_suite
    except ModuleNotFoundError as error:
        raise NotInstalled(f"suite files need {error.name}; install promptuary[server,evaluation]") from None
    if is_promptfoo_file(path):
        from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate  # other suites do not need it

        try:
            translation = translate(path, partial=options.partial, judge=options.judge, models=options.models)
        except UnsupportedParts as error:
            _print_report(path, error.report)
            error.field_errors = ()  # they are in the report
            raise
        _print_report(path, translation.report)
        return SuiteSource(suite, translation=translation)
    return SuiteSource(suite, file=read_suite(path))


def store_source(api: ApiClient, source: SuiteSource) -> SuiteInRegistry:
    """Store a suite that was read, with its dataset and its outputs; a name is looked up."""
    from promptuary.evaluation.suites.target_files import outputs_dataset

    if source.translation is not None:
        return _store_translation(api, source.translation)
    if source.file is None:
        definition = api.get(f"/suites/{path_segment(source.argument)}")["definition"]
        return SuiteInRegistry(definition["name"], definition.get("prompt"))
    suite = source.file.suite
    for file, outputs in source.file.outputs.items():
        api.post_lines(f"/datasets/{path_segment(outputs_dataset(suite.name, file))}/versions", outputs.pieces())
    number = _store(api, suite, _dataset_name(suite), source.file.cases)
    return SuiteInRegistry(suite.name, suite.prompt, dataset_version=number)


def restore_definition(api: ApiClient, source: SuiteSource) -> None:
    """Store the definition of a suite's file again, without its dataset."""
    if source.translation is not None:
        _store_definition(api, source.translation.suite, source.translation.suite.dataset)
    elif source.file is not None:
        _store_definition(api, source.file.suite, _dataset_name(source.file.suite))


def _dataset_name(suite: "Suite") -> str:
    """Return the name of the dataset of a suite's file: the name of the dataset's file, in our form."""
    stem = Path(suite.dataset).stem
    return fold_name(stem) or fold_name(f"{suite.name}-cases")


def _store_translation(api: ApiClient, translation: "Translation") -> SuiteInRegistry:
    """Store the suite, dataset and versions of a translated promptfoo file."""
    from promptuary.evaluation.datasets.case_spool import CaseSpool

    prompt = translation.suite.prompt
    versions = () if prompt is None else register_contents(api, prompt, translation.contents, translation.labels)
    number = _store(api, translation.suite, translation.suite.dataset, CaseSpool(translation.cases))
    return SuiteInRegistry(translation.suite.name, translation.suite.prompt, versions, number)


def _print_report(path: Path, report: "TranslationReport") -> None:
    """Print the report on each part of a promptfoo file to standard error."""
    for text in report.lines():
        print_notice(f"{path.name}: {text}")


def _store(api: ApiClient, suite: "Suite", dataset: str, cases: "CaseSpool") -> int:
    """Store the cases and the suite; return the number of the dataset's version."""
    version = api.post_lines(f"/datasets/{path_segment(dataset)}/versions", cases.pieces())
    _store_definition(api, suite, dataset)
    return int(version["version"])


def _store_definition(api: ApiClient, suite: "Suite", dataset: str) -> None:
    from promptuary.evaluation.suites.suite import suite_to_json
    from promptuary.evaluation.suites.target_files import outputs_dataset, with_stored_outputs

    outputs = [target.outputs for target in suite.targets if isinstance(target.outputs, str)]
    definition = with_stored_outputs(suite_to_json(suite), {file: outputs_dataset(suite.name, file) for file in outputs})
    api.put(f"/suites/{suite.name}", {**definition, "dataset": dataset})


def register_candidate(api: ApiClient, files: list[PromptFile], prompt: str) -> int:
    """Register a folder's version of a prompt, without a label, and return its number."""
    candidate = next((file for file in files if file.name == prompt), None)
    if candidate is None:
        raise Invalid("the folder of --prompts has no file for the suite's prompt", [FieldError("prompt", f"'{prompt}'")])
    return int(register(api, candidate, labels=())["version"])


def register_contents(api: ApiClient, prompt: str, contents: Sequence[Content], messages: Sequence[str]) -> tuple[int, ...]:
    """Register contents as versions of one prompt, without a label; a content that a version already has keeps its number."""
    known = _known_digests(api, prompt)
    numbers: list[int] = []
    for content, message in zip(contents, messages, strict=True):
        digest = content_digest(content)
        if digest not in known:
            details: dict[str, Any] = {"message": " ".join(message.split())[:200], "labels": []}
            known[digest] = int(
                api.post(f"/prompts/{path_segment(prompt)}/versions", content_body(content) | details)["version"]
            )
        numbers.append(known[digest])
    return tuple(numbers)


def _known_digests(api: ApiClient, prompt: str) -> dict[str, int]:
    """Return the version number of each content that the prompt has had, by digest; those that were erased are left out."""
    names = [listed["name"] for listed in api.items("/prompts", search=prompt)]
    if prompt not in names:
        return {}
    versions = api.items(f"/prompts/{path_segment(prompt)}/versions")
    return {version["digest"]: int(version["version"]) for version in versions if not is_erased(version)}
