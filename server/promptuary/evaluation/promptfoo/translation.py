"""A promptfoo file translated: a suite, its cases, the contents of its prompts, and the report of what became of each part."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.promptfoo.applications.provider_targets import (
    any_application,
    only_applications,
    read_targets,
)
from promptuary.evaluation.promptfoo.assertions import AssertionTranslator
from promptuary.evaluation.promptfoo.config import read_config
from promptuary.evaluation.promptfoo.files import PromptfooFolder
from promptuary.evaluation.promptfoo.javascript.source_test import read_by_code
from promptuary.evaluation.promptfoo.javascript.transforms import PYTHON_REMARK, model_transforms, transform_of_test
from promptuary.evaluation.promptfoo.matrix import Matrix
from promptuary.evaluation.promptfoo.models.provider_model import grader_model
from promptuary.evaluation.promptfoo.models.shared_settings import with_shared_settings, without_own_provider
from promptuary.evaluation.promptfoo.options import PromptfooRunOptions, read_run_options, report_test_options
from promptuary.evaluation.promptfoo.prompts import ConvertedPrompt, read_prompts
from promptuary.evaluation.promptfoo.providers import Provider, read_providers
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import PartOutcome, TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.template import fill_template, fill_variables, resolve_variables, to_javascript_text
from promptuary.evaluation.promptfoo.tests import ExpandedTest, read_tests
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import fold_words
from promptuary.prompt.validation_errors import field_errors_from

FAULTS_SHOWN = 20
COMPARISON_TYPES = ("select-best", "not-select-best")
DEFAULT_GATE = {"metric": "pass", "every": True}
_NAME_LIMIT = 100
_LINE = re.compile(r"[\x00-\x1f\x7f]+")
_AUTOMATIC = re.compile(r"Row #\d+")
_STEMS = ("promptfooconfig", "promptfoo", "config")


@dataclass(frozen=True)
class Translation:
    """A promptfoo file in our form. The suite's dataset and prompt are names; `labels` are promptfoo's of the contents."""

    suite: Suite
    cases: tuple[Case, ...]
    contents: tuple[Content, ...]
    labels: tuple[str, ...]
    report: TranslationReport
    path: Path


def translate(
    path: Path,
    *,
    partial: bool = False,
    judge: str | None = None,
    models: Sequence[str] | None = None,
    name: str | None = None,
    apart: bool = False,
) -> Translation:
    """Translate a promptfoo file; nothing of it is run, and no file outside its folder is read.

    Args:
        path: of the file.
        partial: takes the file although something is refused, without that.
        judge: the model that judges in place of the file's graders.
        models: are asked instead of the file's providers.
        name: of the suite, its prompt and its dataset; by default the description's, else the file's.
        apart: whether each of several prompts is to be run by itself.

    Raises:
        InvalidFile: for what cannot be read at all, leaves nothing to run, or, without `partial`, for all that is refused.
    """
    report = TranslationReport()
    config = read_config(path, report)
    reader = _Translator(path, PromptfooFolder(path.parent), report, partial=partial, judge=judge, models=models)
    translation = reader.translation(config, name or _name(path, config))
    if (
        translation
        and apart
        and len(translation.contents) > 1
        and any(spec["type"] in COMPARISON_TYPES for case in translation.cases for spec in case.asserts)
    ):
        why = "compares the answers to all prompts, which are run apart after an import: run the promptfoo file as it is"
        report.refuse("assertion", "select-best", why, "tests")
    refused = report.of(PartOutcome.REFUSED)
    if refused and not partial:
        raise UnsupportedParts(path, report)
    assert translation is not None
    return translation


class UnsupportedParts(InvalidFile):
    """Verdicts would change without parts of a file that have no place here."""

    code = "not_carried"

    def __init__(self, path: Path, report: TranslationReport) -> None:
        """Build the error with every refused part, up to a limit."""
        field_errors = [
            FieldError(entry.places[0], f"{entry.kind} {entry.name}: {entry.why}") for entry in report.of(PartOutcome.REFUSED)
        ]
        field_errors, more = field_errors[:FAULTS_SHOWN], len(field_errors) - FAULTS_SHOWN
        if more > 0:
            field_errors.append(FieldError("", f"and {more} more kinds of parts"))
        count = sum(entry.count for entry in report.of(PartOutcome.REFUSED))
        parts = "1 part" if count == 1 else f"{count} parts"
        super().__init__(f"{path} has {parts} without which verdicts would change (--partial runs the rest)", field_errors)
        self.report = report


class _Translator:
    def __init__(
        self,
        path: Path,
        folder: PromptfooFolder,
        report: TranslationReport,
        *,
        partial: bool,
        judge: str | None,
        models: Sequence[str] | None,
    ) -> None:
        self.path = path
        self.folder = folder
        self.report = report
        self.partial = partial
        self.judge = judge
        self.models = models

    def translation(self, config: RawObject, name: str) -> Translation | None:
        options, matrix = read_run_options(config, self.report), Matrix(self.report, self.models)
        prompts = read_prompts(config.get("prompts"), self.folder, self.report)
        value = read_providers(config.get("providers", config.get("targets", [])), self.folder, self.report)
        with closing(JavaScriptEngine(processes=1)) as engine:
            rows = read_tests(config, self.folder, self.report, engine)
        rows = without_own_provider(rows, value, self.report)
        if self.models is not None or not any_application(value):
            rows, prompts = with_shared_settings(rows, prompts, self.report)
        for row in rows:
            report_test_options(row.options, row.others, row.place, self.report)
        providers = matrix.chosen("providers", rows, value)
        prompts = matrix.chosen("prompts", rows, matrix.for_providers(providers, prompts))
        applications = self.models is None and any_application(providers)
        if applications:
            providers = only_applications(providers, self.report)
        models, parts = ([], {}) if applications else matrix.models_of(providers)
        before, after, added = matrix.around(rows, options)
        drafts = list(matrix.drafts(prompts, before, after))
        cases = list(self._cases(rows, drafts, added, self._asserts(options, value)))
        contents = list(matrix.contents(drafts, parts, models))
        transforms = {} if applications else model_transforms(providers, models, self.folder, self.report)
        targets = read_targets(providers, contents, self.folder, self.report, transforms) if applications else []
        subject = ("application", targets) if applications else ("model", models)
        for what, supported in (("prompt", contents), subject, ("test", cases)):
            if not supported:
                self._nothing(what)
                return None
        gate = [DEFAULT_GATE]
        if not any(row.asserts for row in rows):
            gate = []
            why = "no test has an assertion, so nothing is demanded of the outputs: the run ends in 'no gate'"
            self.report.change("file", self.path.name, why, "tests")
        if "echo:" in models and any(content.type == "chat" for content, _ in contents):
            why = "answers with a chat's last user message; promptfoo's echo gives the whole chat as JSON"
            self.report.change("provider", "echo", why, "providers")
        suite = self._suite(
            {
                "name": name,
                **({"target": targets} if applications else {"prompt": name, "models": models}),
                "dataset": name,
                "repeats": options.repeats,
                "concurrency": options.concurrency,
                "gate": gate,
                "max_unrunnable": 0.0,
                "model_transforms": transforms,
            }
        )
        translation, labels = ((), ()) if applications else zip(*contents, strict=True)
        return Translation(suite, tuple(cases), translation, labels, self.report, self.path)

    def _nothing(self, what: str) -> None:
        """Refuse a file that leaves nothing to do; with what was refused, where that is why."""
        if self.report.of(PartOutcome.REFUSED) and not self.partial:
            return
        raise InvalidFile(f"{self.path} leaves nothing to run", [FieldError("", f"there is no {what} that can be carried")])

    def _suite(self, body: RawObject) -> Suite:
        try:
            return Suite.model_validate(body)
        except ValidationError as error:
            raise InvalidFile(f"{self.path} cannot be used", field_errors_from(error)) from None

    def _asserts(self, options: PromptfooRunOptions, providers: Sequence[Provider]) -> AssertionTranslator:
        def grader(value: Any) -> str | RawObject:
            if isinstance(value, dict) and ("text" in value or "embedding" in value):
                value = value.get("text")
            name = value.get("id") if isinstance(value, dict) else value
            if not isinstance(name, str):
                raise Unsupported("its grader is no provider with a name; set --judge MODEL")
            config = value.get("config") or {} if isinstance(value, dict) else {}
            named = next((provider for provider in providers if provider.label == name), Provider(name, config=config))
            try:
                return grader_model(named, self.report)
            except Unsupported as error:
                raise Unsupported(f"its grader '{named.id[:60]}' {error}, or set --judge MODEL") from None

        judge: str | RawObject | None = self.judge
        if judge is None and options.grader is not None:
            try:
                judge = grader(options.grader)
            except Unsupported as error:
                self.report.refuse("setting", "grader", str(error), "commandLineOptions.grader")
        return AssertionTranslator(self.folder, self.report, grader, judge)

    def _cases(
        self,
        rows: Sequence[ExpandedTest],
        drafts: Sequence[ConvertedPrompt],
        added: Mapping[str, str],
        asserts: AssertionTranslator,
    ) -> Iterator[Case]:
        ids: dict[str, int] = {}
        texts = any(not draft.chat for draft in drafts)
        whole = {name for draft in drafts for name in draft.whole}
        whole -= {name for draft in drafts for name in draft.used - draft.whole}
        whole = whole if all(draft.parts["format"] == "mustache" for draft in drafts) else set()
        for row in rows:
            try:
                resolved_vars = resolve_variables(row.vars)
                prompt_vars = fill_variables(resolved_vars) if texts else resolved_vars
                if texts and prompt_vars != resolved_vars and any(draft.chat for draft in drafts):
                    raise Unsupported("has a variable with a template, which promptfoo fills in texts and leaves in chats")
                for key, name in added.items():
                    prompt_vars[name] = fill_template(str(row.options.get(key) or ""), prompt_vars)
                prompt_vars = {
                    name: to_javascript_text(value) if name in whole else value for name, value in prompt_vars.items()
                }
                specs = asserts.of(row, resolved_vars)
                if row.asserts and not specs:
                    raise Unsupported("has no assertion that can be carried: every output would pass")
                yield self._case(row, prompt_vars, specs, ids)
            except Unsupported as error:
                self.report.refuse("test", (row.description or row.place)[:60], str(error), row.place)

    def _case(self, row: ExpandedTest, prompt_vars: RawObject, specs: list[RawObject], ids: dict[str, int]) -> Case:
        description = None if _AUTOMATIC.fullmatch(row.description or "") else row.description
        metadata = dict(row.metadata)
        if description:
            metadata.setdefault("description", description)
        threshold = row.threshold
        if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float)):
            raise Unsupported("has a threshold that is no number")
        body = {
            "id": _id(description, prompt_vars, ids),
            "vars": prompt_vars,
            "metadata": metadata,
            "assert": specs,
            "threshold": None if threshold is None else float(threshold),
        }
        if transform := transform_of_test(row.options, self.folder):
            body["transform"] = transform
            self._report_transform(transform, row.place)
        if source := read_by_code(row.parts, specs):
            body["source"] = source
        try:
            case = CaseIn.model_validate(body).case()
        except ValidationError as error:
            raise Unsupported("; ".join(map(str, field_errors_from(error)[:3]))) from None
        self.report.carry("test", "vars, assert" + (", threshold" if threshold is not None else ""), row.place)
        return case

    def _report_transform(self, transform: RawObject, place: str) -> None:
        if "python" in transform:
            self.report.change("test option", "transform", PYTHON_REMARK, place)
        else:
            self.report.carry("test option", "transform", place)


def _id(description: str | None, prompt_vars: RawObject, ids: dict[str, int]) -> str:
    """Name a case so that the same test has the same name in the next run, wherever it stands by then."""
    body = json.dumps(prompt_vars, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
    short = hashlib.sha256(body).hexdigest()[:10]
    words = " ".join(_LINE.sub(" ", description or "").split())[:150]
    name = words or short
    if words and name in ids:
        name = f"{words} {short}"
    ids[name] = ids.get(name, 0) + 1
    if ids[name] == 1:
        return name
    again = f"{name} {ids[name]}"
    ids[again] = 1
    return again


def _name(path: Path, config: RawObject) -> str:
    """Name a file by its description, else by its own name, or its folder's where it has promptfoo's usual one."""
    value = config.get("description")
    stem = path.resolve().parent.name if path.stem in _STEMS else path.stem
    for words in (value if isinstance(value, str) else "", stem, "promptfoo"):
        if name := fold_words(words, _NAME_LIMIT):
            return name
    raise InvalidFile(f"{path} has no name", [FieldError("description", "must have letters or digits")])
