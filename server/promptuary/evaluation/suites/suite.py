"""A suite: which prompt or application is tried on which cases, how outputs are scored, and what the scores must reach."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)

from promptuary.core.wire import RequestModel
from promptuary.evaluation.applications.spec import Label, OutputsSource, Targets, TargetSpec
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.file_values import inline_files
from promptuary.evaluation.scorers.spec import INVERSE, NESTED_LIMIT, LocatedError, ScorerSpec, validate_with_errors
from promptuary.evaluation.scorers.transforms.steps import TransformValue
from promptuary.evaluation.suites.definition import SuiteDefinition
from promptuary.evaluation.suites.gate_spec import GateSpec, UnitInterval, judge_demand_errors
from promptuary.evaluation.suites.subject import subject_errors
from promptuary.evaluation.suites.target_files import inline_functions, read_outputs
from promptuary.evaluation.suites.transform_files import inline_suite_transforms
from promptuary.evaluation.suites.unfailing import unfailing_scorers
from promptuary.models.model_spec import ModelName, ModelRef, ModelSpec, column_name
from promptuary.prompt.digest import json_digest
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_yaml_file
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import Name
from promptuary.prompt.validation_errors import field_errors_from

__all__ = ["GateSpec", "ScorerSpec", "Suite", "SuiteFile", "read_suite", "suite_digest", "suite_to_json"]


Provider = Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9_]+$")]


class LimitSpec(RequestModel):
    """The most requests and tokens that a provider gets in a minute."""

    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None


class PriceSpec(RequestModel):
    """The price of a model in US dollars for a million tokens, instead of the published one."""

    input: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Suite(RequestModel):
    """A suite as a file or a request has it; validation reports every error at once, each with its place.

    It evaluates a prompt under models, or applications (`target`), or outputs that are there (`outputs`).
    """

    name: Name
    prompt: Name | None = None
    label: Name = "latest"
    target: Targets | None = None
    outputs: OutputsSource | None = None
    version: Label | None = None
    dataset: Annotated[str, Field(min_length=1, max_length=1000)]
    models: Annotated[list[ModelRef], Field(max_length=50)] = Field(default_factory=list)
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    scorers: Annotated[list[ScorerSpec], Field(max_length=100)] = Field(default_factory=list)
    gate: Annotated[list[GateSpec], Field(max_length=100)] = Field(default_factory=list)
    max_unrunnable: UnitInterval = 0.05
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None
    threshold: UnitInterval | None = None
    early_stop: bool = False
    max_cost: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    limits: dict[Provider, LimitSpec] = Field(default_factory=dict)
    prices: dict[ModelName, PriceSpec] = Field(default_factory=dict)
    transform: TransformValue = None
    model_transforms: Annotated[dict[str, TransformValue], Field(max_length=50)] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _check_together(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return validate_with_errors(value, handler, _suite_errors(value) if isinstance(value, dict) else ())

    @property
    def targets(self) -> tuple[TargetSpec, ...]:
        """The applications, each with the suite's version where it has none of its own; empty for a prompt."""
        if self.outputs is not None:
            return (TargetSpec(outputs=self.outputs, version=self.version),)
        targets = [] if self.target is None else self.target if isinstance(self.target, list) else [self.target]
        return tuple(
            target
            if target.version is not None or self.version is None
            else target.model_copy(update={"version": self.version})
            for target in targets
        )


@dataclass(frozen=True)
class SuiteFile:
    """A suite read from a file, with the cases of its dataset and the outputs that it names, which stay on disk.

    Attributes:
        suite: as the file has it.
        cases: of its dataset.
        path: of the file.
        outputs: by the name of their file.
    """

    suite: Suite
    cases: CaseSpool
    path: Path
    outputs: Mapping[str, CaseSpool] = field(default_factory=dict)


def suite_to_json(suite: Suite) -> SuiteDefinition:
    """Return the JSON that is stored and digested: every field by name, the defaults too.

    Fields of later releases are left out where they have their default, so that a suite keeps its digest.
    """
    body = suite.model_dump(mode="json")
    definition = {
        name: value
        for name, value in body.items()
        if name not in _LATER_FIELDS or value != Suite.model_fields[name].get_default(call_default_factory=True)
    }
    return cast("SuiteDefinition", definition)


_LATER_FIELDS = (
    *("threshold", "early_stop", "max_cost", "limits", "prices", "prompt", "target", "outputs", "version"),
    *("transform", "model_transforms"),
)
"""Fields that are left out where they have their default; `prompt` had none before suites evaluated applications."""


def suite_digest(suite: Suite) -> str:
    """Return the digest of the suite's definition; its dataset has a digest of its own."""
    return json_digest(suite_to_json(suite))


def read_suite(path: Path) -> SuiteFile:
    """Read a suite file and its dataset, whose path is relative to it.

    Raises:
        InvalidFile: naming the file, and line and field of every error; an invalid dataset is named by its own path.
    """
    document = read_yaml_file(path)
    body = document.value
    if not isinstance(body, dict):
        raise InvalidFile(f"{path} is not a suite file", [FieldError("", "must be a mapping that has `name`, `prompt` …", 1)])
    field_errors: list[FieldError] = []
    body = inline_functions(_with_files(body, path.parent, field_errors), path.parent, field_errors)
    suite, cases = None, CaseSpool()
    try:
        suite = Suite.model_validate(body)
    except ValidationError as error:
        reported = {known.path for known in field_errors}
        field_errors += [further for further in field_errors_from(error) if further.path not in reported]
    dataset = body.get("dataset")
    if isinstance(dataset, str) and dataset:
        try:
            cases = read_case_file(path.parent / dataset)
        except InvalidFile as error:
            if not field_errors:
                raise
            field_errors.append(FieldError("dataset", str(error)))
    if suite is not None and len(cases) and not suite.scorers and not cases.asserts:
        field_errors.append(
            FieldError("scorers", "there is no scorer, and no case has an `assert` of its own: every output would pass")
        )
    if suite is not None:
        field_errors += unfailing_scorers(suite.scorers)
    if suite is not None and suite.outputs is not None and cases.conversations:
        field_errors.append(FieldError("outputs", "are there already, and the dataset has conversations, which are asked"))
    outputs = read_outputs(suite.targets, path.parent, cases, field_errors) if suite is not None and len(cases) else {}
    if field_errors or suite is None:
        raise InvalidFile(f"{path} cannot be used", [document.with_line(field_error) for field_error in field_errors])
    return SuiteFile(suite, cases, path, outputs)


def _with_files(body: JsonObject, folder: Path, field_errors: list[FieldError]) -> JsonObject:
    """Return a suite's body with the content of the files that its scorers and transforms name."""
    body = inline_suite_transforms(body, folder, field_errors)
    scorers = body.get("scorers")
    if not isinstance(scorers, list):
        return body
    inlined: list[Any] = []
    for number, scorer in enumerate(scorers):
        try:
            inlined.append(inline_files(scorer, folder) if isinstance(scorer, dict) else scorer)
        except Invalid as error:
            inlined.append(scorer)
            field_errors += [FieldError(f"scorers.{number}.{nested.path}", nested.message) for nested in error.field_errors]
    return {**body, "scorers": inlined}


def _suite_errors(suite: JsonObject) -> Iterator[LocatedError]:
    yield from subject_errors(suite)
    scorers, gates, models = (suite.get(key) for key in ("scorers", "gate", "models"))
    names: list[str] = []
    nested: list[str] = []
    judged: list[str] = []
    for number, scorer in enumerate(scorers if isinstance(scorers, list) else ()):
        fields = scorer if isinstance(scorer, dict) else scorer.model_dump() if isinstance(scorer, ScorerSpec) else {}
        name = fields.get("name") or fields.get("type")
        if isinstance(name, str):
            if name in names:
                yield ("scorers", number, "name"), f"'{name}' is the name of an earlier scorer; give each its own"
            names.append(name)
        nested += _nested_names(fields)
        judged += _judged_names(fields)
    for number, gate in enumerate(gates if isinstance(gates, list) else ()):
        metric = gate.get("metric") if isinstance(gate, dict) else getattr(gate, "metric", None)
        if suite.get("early_stop") is True and (gate.get("every") if isinstance(gate, dict) else getattr(gate, "every", None)):
            yield ("gate", number, "every"), "needs all cases, so the run cannot stop early: leave `early_stop` out"
        demand = gate if isinstance(gate, dict) else gate.model_dump() if isinstance(gate, GateSpec) else {}
        yield from judge_demand_errors(number, demand, judged, early_stop=suite.get("early_stop") is True)
        if isinstance(metric, str) and metric not in (*names, *nested, "pass", "score"):
            known = ", ".join(filter(None, dict.fromkeys((*names, *nested)))) or "none"
            yield ("gate", number, "metric"), f"no scorer has the metric '{metric}'; the metrics are {known}, pass and score"
    yield from _repeated_models(models if isinstance(models, list) else ())


def _repeated_models(models: Sequence[Any]) -> Iterator[LocatedError]:
    """Yield an error for each model that is called as an earlier one; results could not distinguish them."""
    seen: set[str] = set()
    for number, model in enumerate(models):
        try:
            name = column_name(ModelSpec.model_validate(model) if isinstance(model, dict) else model)
        except ValidationError:  # reported at its place
            continue
        if name in seen:
            remedy = "; give each a `label` of its own" if isinstance(model, dict | ModelSpec) else ""
            yield ("models", number), f"'{name}' is listed twice{remedy}"
        seen.add(name)


def _nested_names(fields: JsonObject, depth: int = 0) -> Iterator[str]:
    """Yield the names of the scorers in a set, which are metrics too."""
    nested = fields.get("assert")
    for scorer in nested if isinstance(nested, list) and depth < NESTED_LIMIT else ():
        if isinstance(scorer, dict):
            if isinstance(scorer.get("name"), str):
                yield scorer["name"]
            yield from _nested_names(scorer, depth + 1)


def _judged_names(fields: JsonObject, depth: int = 0) -> Iterator[str]:
    """Yield the metrics of a scorer, and of those inside it, that a model judges."""
    type_name, name = fields.get("type"), fields.get("name")
    scorer_type = find_scorer_type(type_name.removeprefix(INVERSE)) if isinstance(type_name, str) else None
    if scorer_type is not None and scorer_type.judged and (depth == 0 or isinstance(name, str)):
        yield str(name or type_name)
    nested = fields.get("assert")
    for scorer in nested if isinstance(nested, list) and depth < NESTED_LIMIT else ():
        if isinstance(scorer, dict):
            yield from _judged_names(scorer, depth + 1)
