"""One demand of a suite's gate, as a file or a request has it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidatorFunctionWrapHandler, model_validator

from promptuary.core.wire import RequestModel
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.spec import LocatedError, validate_with_errors

UnitInterval = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class JudgeDemand(RequestModel):
    """What a judge must reach against people: floors for the lower confidence bounds of its sensitivity and specificity."""

    sensitivity: UnitInterval | None = None
    specificity: UnitInterval | None = None


class GateSpec(RequestModel):
    """One demand on a metric: a floor for its lower confidence bound, or a loss against a baseline that must be excluded.

    Or `every` case has the full score: then the demand is on these cases alone, and they are no sample of others.
    A demand on a judge may require figures that labels of people correct, and a floor for the judge's agreement with people.
    """

    # Later fields are left out where they have their default, so that suites keep their digests.
    metric: str
    every: bool = Field(default=False, exclude_if=lambda every: not every)
    at_least: UnitInterval | None = None
    not_worse_than: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    by: UnitInterval | None = None
    corrected: bool = Field(default=False, exclude_if=lambda corrected: not corrected)
    judge: JudgeDemand | None = Field(default=None, exclude_if=lambda judge: judge is None)

    @property
    def needs_labels(self) -> bool:
        """Whether labels of people decide it."""
        return self.corrected or self.judge is not None

    @model_validator(mode="wrap")
    @classmethod
    def _check_demand(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return validate_with_errors(value, handler, _gate_errors(value) if isinstance(value, dict) else ())


def judge_demand_errors(
    number: int, gate: JsonObject, judged: Sequence[str], *, early_stop: bool
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with a demand that needs labels of people, in its suite.

    Args:
        number: the demand's place in the gate.
        gate: the demand's fields.
        judged: the metrics that have a judge.
        early_stop: whether the suite's runs may stop early.
    """
    name = "corrected" if gate.get("corrected") else "judge" if gate.get("judge") is not None else None
    if name is None:
        return
    if gate.get("metric") not in judged:
        known = ", ".join(judged) or "none"
        yield ("gate", number, name), f"goes with a metric that a model judges; the judged metrics are {known}"
    if early_stop:
        yield ("gate", number, name), "needs all cases, so the run cannot stop early: leave `early_stop` out"


def _gate_errors(gate: JsonObject) -> Iterator[LocatedError]:
    floor, baseline, margin = (gate.get(key) is not None for key in ("at_least", "not_worse_than", "by"))
    if floor + baseline + (gate.get("every") is True) != 1:
        yield (), "takes one demand: at_least, or not_worse_than with by, or every: true"
    if baseline and not margin:
        yield ("by",), "is required with not_worse_than: the loss that is accepted, as in 0.02"
    if margin and not baseline:
        yield ("by",), "goes with not_worse_than only"
    for name in ("corrected", "judge"):
        if gate.get("every") is True and gate.get(name):
            yield (name,), "does not go with `every`, which is a demand on the cases themselves"
    judge = gate.get("judge")
    if isinstance(judge, dict) and judge.get("sensitivity") is None and judge.get("specificity") is None:
        yield ("judge",), "names nothing; it takes sensitivity, specificity or both, as in 0.8"
