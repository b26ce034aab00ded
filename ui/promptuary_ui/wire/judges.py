"""Judges compared with people, as the API answers them; the classes mirror the server's of the same name and `…Out`."""

from pydantic import Field

from promptuary_ui.wire.base import ApiModel
from promptuary_ui.wire.runs import IntervalFigures


class AgreementFigures(ApiModel):
    """A chance-corrected coefficient with its bounds, or the reason why it is undefined."""

    value: float | None = None
    reason: str | None = None
    low: float | None = None
    high: float | None = None


class JudgeFigures(ApiModel):
    """A judge of a metric: whether its calibration may be relied on, and its agreement with people."""

    metric: str
    model: str
    state: str
    changed: list[str] = Field(default_factory=list)
    labels: int = 0
    missing: int = 0
    tuned: int = 0
    sensitivity: IntervalFigures | None = None
    specificity: IntervalFigures | None = None
    kappa: AgreementFigures | None = None
    ac1: AgreementFigures | None = None


class CorrectionFigures(ApiModel):
    """The mean of a judge, or a difference of means, beside the one that labels of people correct."""

    metric: str
    variant: str
    baseline: str | None = None
    raw: IntervalFigures | None = None
    corrected: IntervalFigures | None = None
    labels: int = 0
    effective_labels: float | None = None
    labels_to_halve: int | None = None
    missing: int | None = None
    reason: str | None = None


class Corrections(ApiModel):
    """A finished run as the labels of now decide it; `decided` is the verdict that it ended with."""

    decided: str | None = None
    verdict: str
    judges: list[JudgeFigures]
    corrections: list[CorrectionFigures]
