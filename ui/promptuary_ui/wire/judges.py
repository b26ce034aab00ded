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
    digest: str = ""
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


class Licence(ApiModel):
    """Whether a judge's figures may be relied on: `valid`, `expired` or `too_few_labels`; `changed` names what expired it."""

    state: str
    changed: list[str] = Field(default_factory=list)
    labels: int = 0
    labels_needed: int = 0


class Judge(ApiModel):
    """A judge of a metric in a list."""

    digest: str
    metric: str
    licence: Licence


class Confusion(ApiModel):
    """The number of labelled outputs by the label of people and the judge's verdict."""

    both_pass: int
    both_fail: int
    judge_alone: int
    people_alone: int


class CurvePoint(ApiModel):
    """What people passed of the outputs whose score of the judge lies in a part of [0, 1]."""

    low: float
    high: float
    labels: int
    mean_score: float
    passed: IntervalFigures


class Population(ApiModel):
    """The version of a dataset on whose cases the labelled outputs are."""

    dataset: str
    number: int
    cases: int


class Calibration(Judge):
    """A judge compared with people."""

    type: str
    model: str
    rubric: str = ""
    threshold: float | None = None
    rubric_digest: str = ""
    suites: list[str] = Field(default_factory=list)
    population: Population | None = None
    queues: list[str] = Field(default_factory=list)
    confusion: Confusion | None = None
    sensitivity: IntervalFigures | None = None
    specificity: IntervalFigures | None = None
    kappa: AgreementFigures | None = None
    ac1: AgreementFigures | None = None
    curve: list[CurvePoint] = Field(default_factory=list)
    tuned: int = 0
    left_out: list[str] = Field(default_factory=list)
