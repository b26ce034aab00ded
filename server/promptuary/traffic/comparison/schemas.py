"""Wire models of a comparison."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from promptuary.core.wire import ResponseModel


class DifferenceOut(ResponseModel):
    """Candidate - baseline with its 95 % interval."""

    estimate: float
    low: float
    high: float


class ComparedFigureOut(ResponseModel):
    """A figure of both versions; null without a call that reports it.

    `difference` is null where one side is, and of means of counters, which have no spread. `finding` is `worse` or `better`
    where the interval of the difference excludes 0, else `unclear`.
    """

    name: str
    better: str
    baseline: float | None
    candidate: float | None
    difference: DifferenceOut | None
    finding: str | None


class VersionComparisonOut(ResponseModel):
    """Two versions of a prompt over whole hours. Online scores (`score:…`) are weighted by what sampled calls stand for."""

    prompt: str
    baseline: int
    candidate: int
    start: Annotated[datetime, Field(serialization_alias="from", validation_alias="from")]
    end: Annotated[datetime, Field(serialization_alias="to", validation_alias="to")]
    figures: list[ComparedFigureOut]
