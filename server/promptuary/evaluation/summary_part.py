"""What all parts of a run's summary share, and the interval that they contain."""

from typing import Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.described_fields import DescribedByFields


def is_none(value: object) -> bool:
    """Return whether a field is left out where it has no value."""
    return value is None


def is_empty(value: object) -> bool:
    """Return whether a field is left out where it is empty."""
    return not value


class SummaryPart(DescribedByFields):
    """A frozen part of the summary, made from keyword arguments, from JSON or from an object's attributes.

    A field that was not set, as in the summary of an earlier release, is not written either.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @model_serializer(mode="wrap")
    def _write_set_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: JsonObject = handler(self)
        return {name: value for name, value in body.items() if name in self.model_fields_set}

    def json_body(self) -> dict[str, Any]:
        """Return the JSON object that is stored and sent."""
        return self.model_dump(mode="json")


class IntervalFigures(SummaryPart):
    """An estimate between two confidence bounds; mirrors `promptuary.statistics.interval.Interval`.

    Attributes:
        estimate: the mean, or the mean of the paired differences.
        low: the lower bound.
        high: the upper bound.
        level: the two-sided confidence level, in (0, 1).
        method: the formula of the bounds, such as `wilson` or `cluster-robust`.
        n: the number of cases.
        clusters: the number of clusters; None where the cases are independent.
        effective: of cases with different weights, the number of equally weighted ones with the same information.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int
    clusters: int | None
    effective: float | None = Field(default=None, exclude_if=is_none)
