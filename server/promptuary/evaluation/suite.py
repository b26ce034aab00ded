"""A suite: which prompt is tried on which cases by which models, how outputs are scored, and what the scores must reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from promptuary.base.wire import Received
from promptuary.evaluation.dataset_file import read_cases
from promptuary.evaluation.models import name_fault
from promptuary.evaluation.scorers.inline import inlined
from promptuary.evaluation.scorers.spec import NESTED_LIMIT, Found, ScorerSpec, with_faults
from promptuary.evaluation.spool import Spool
from promptuary.prompt.digest import digest
from promptuary.prompt.document import InvalidFile
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.faults import faults_of
from promptuary.prompt.file import read_document
from promptuary.prompt.name import Name

__all__ = ["GateSpec", "ScorerSpec", "Suite", "SuiteFile", "read_suite", "suite_digest", "suite_json"]


def _model(name: str) -> str:
    if words := name_fault(name):
        raise ValueError(words)
    return name


ModelName = Annotated[str, Field(max_length=200), AfterValidator(_model)]
Provider = Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9_]+$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class GateSpec(Received):
    """One demand on a metric: a floor for its lower confidence bound, or a loss against a baseline that must be excluded.

    Or that `every` case has it in full: then the cases are all that is asked about, and no sample of more.
    """

    metric: str
    every: bool = False
    at_least: Share | None = None
    not_worse_than: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    by: Share | None = None

    @model_serializer(mode="wrap")
    def _without_what_it_does_not_say(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `every` out where it says nothing, so that the digests of suites stay what they were."""
        body: dict[str, Any] = handler(self)
        return {name: value for name, value in body.items() if name != "every" or value}

    @model_validator(mode="wrap")
    @classmethod
    def _one_demand(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return with_faults(value, handler, _gate_faults(value) if isinstance(value, dict) else ())


class LimitSpec(Received):
    """How much a provider is asked at most."""

    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None


class PriceSpec(Received):
    """What a model costs, in US dollars for a million tokens; instead of the published price."""

    input: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Suite(Received):
    """A suite as its file or a request says it, checked whole: all faults are told at once, each in its place."""

    name: Name
    prompt: Name
    label: Name = "latest"
    dataset: Annotated[str, Field(min_length=1, max_length=1000)]
    models: Annotated[list[ModelName], Field(min_length=1, max_length=50)]
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    scorers: Annotated[list[ScorerSpec], Field(max_length=100)] = Field(default_factory=list)
    gate: Annotated[list[GateSpec], Field(max_length=100)] = Field(default_factory=list)
    max_unrunnable: Share = 0.05
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None
    threshold: Share | None = None
    early_stop: bool = False
    max_cost: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    limits: dict[Provider, LimitSpec] = Field(default_factory=dict)
    prices: dict[ModelName, PriceSpec] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _parts_fit(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return with_faults(value, handler, _suite_faults(value) if isinstance(value, dict) else ())


@dataclass(frozen=True)
class SuiteFile:
    """A suite as its file says it, with the cases of its dataset, which stay on disk."""

    suite: Suite
    cases: Spool
    path: Path


def suite_json(suite: Suite) -> dict[str, Any]:
    """Give the JSON that is stored and digested: every field by name, the defaults too.

    Fields that came later are left out where they say nothing, so that a suite's digest stays what it was.
    """
    body = suite.model_dump(mode="json")
    return {
        name: value
        for name, value in body.items()
        if name not in _LATER or value != Suite.model_fields[name].get_default(call_default_factory=True)
    }


_LATER = ("threshold", "early_stop", "max_cost", "limits", "prices")


def suite_digest(suite: Suite) -> str:
    """Give the digest of all that the suite says; its dataset has a digest of its own."""
    return digest(suite_json(suite))


def read_suite(path: Path) -> SuiteFile:
    """Read a suite file and its dataset, whose path is relative to it.

    Raises:
        InvalidFile: naming the file, and line and field of every fault; a faulty dataset is named by its own path.
    """
    document = read_document(path)
    body = document.value
    if not isinstance(body, dict):
        raise InvalidFile(f"{path} is not a suite file", [Fault("", "must be a mapping that has `name`, `prompt` …", 1)])
    faults: list[Fault] = []
    body = _with_files(body, path.parent, faults)
    suite, cases = None, Spool()
    try:
        suite = Suite.model_validate(body)
    except ValidationError as error:
        told = {fault.path for fault in faults}
        faults += [fault for fault in faults_of(error) if fault.path not in told]
    dataset = body.get("dataset")
    if isinstance(dataset, str) and dataset:
        try:
            cases = read_cases(path.parent / dataset)
        except InvalidFile as error:
            if not faults:
                raise
            faults.append(Fault("dataset", str(error)))
    if suite is not None and len(cases) and not suite.scorers and not cases.asserts:
        faults.append(Fault("scorers", "there is no scorer, and no case has an `assert` of its own: every output would pass"))
    if faults or suite is None:
        raise InvalidFile(f"{path} cannot be used", [document.located(fault) for fault in faults])
    return SuiteFile(suite, cases, path)


def _with_files(body: dict[str, Any], folder: Path, faults: list[Fault]) -> dict[str, Any]:
    """Give what a suite's file says, with the content of the files that its scorers name."""
    scorers = body.get("scorers")
    if not isinstance(scorers, list):
        return body
    carried: list[Any] = []
    for number, scorer in enumerate(scorers):
        try:
            carried.append(inlined(scorer, folder) if isinstance(scorer, dict) else scorer)
        except Invalid as error:
            carried.append(scorer)
            faults += [Fault(f"scorers.{number}.{fault.path}", fault.message) for fault in error.faults]
    return body | {"scorers": carried}


def _gate_faults(gate: dict[str, Any]) -> Iterator[Found]:
    floor, baseline, margin = (gate.get(key) is not None for key in ("at_least", "not_worse_than", "by"))
    if floor + baseline + (gate.get("every") is True) != 1:
        yield (), "takes one demand: at_least, or not_worse_than with by, or every: true"
    if baseline and not margin:
        yield ("by",), "is required with not_worse_than: the loss that is borne, as in 0.02"
    if margin and not baseline:
        yield ("by",), "goes with not_worse_than only"


def _suite_faults(suite: dict[str, Any]) -> Iterator[Found]:
    scorers, gates, models = (suite.get(key) for key in ("scorers", "gate", "models"))
    names: list[Any] = []
    inside: list[str] = []
    for number, scorer in enumerate(scorers if isinstance(scorers, list) else ()):
        fields = scorer if isinstance(scorer, dict) else scorer.model_dump() if isinstance(scorer, ScorerSpec) else {}
        name = fields.get("name") or fields.get("type")
        if isinstance(name, str) and name in names:
            yield ("scorers", number, "name"), f"'{name}' is the name of an earlier scorer; give each its own"
        names.append(name)
        inside += _names_inside(fields)
    for number, gate in enumerate(gates if isinstance(gates, list) else ()):
        metric = gate.get("metric") if isinstance(gate, dict) else getattr(gate, "metric", None)
        if suite.get("early_stop") is True and (gate.get("every") if isinstance(gate, dict) else getattr(gate, "every", None)):
            yield ("gate", number, "every"), "asks for all cases, so the run cannot stop early: leave `early_stop` out"
        if isinstance(metric, str) and metric not in (*names, *inside, "pass", "score"):
            known = ", ".join(str(name) for name in dict.fromkeys((*names, *inside)) if name) or "none"
            yield ("gate", number, "metric"), f"no scorer gives '{metric}'; the metrics are {known}, pass and score"
    seen: list[Any] = []
    for number, model in enumerate(models if isinstance(models, list) else ()):
        if model in seen:
            yield ("models", number), f"'{model}' is given twice"
        seen.append(model)


def _names_inside(fields: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Give the names of the scorers that a set is made of, which are metrics too."""
    inner = fields.get("assert")
    for one in inner if isinstance(inner, list) and depth < NESTED_LIMIT else ():
        if isinstance(one, dict):
            if isinstance(one.get("name"), str):
                yield one["name"]
            yield from _names_inside(one, depth + 1)
