"""Wire models of judges that are compared with people."""

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.evaluation.judge_figures import AgreementFigures, CorrectionFigures, JudgeFigures, LicenceState
from promptuary.evaluation.summary_model import GateResult
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.review.queues.schemas import LabelValue
from promptuary.statistics.verdict import Verdict

if TYPE_CHECKING:
    from promptuary.review.calibration.calibration import Calibration  # loads numpy


class LicenceOut(ResponseModel):
    """Whether a judge's figures may be relied on, and how many labels are still needed."""

    state: LicenceState
    changed: tuple[str, ...]
    labels: int
    labels_needed: int


class JudgeOut(ResponseModel):
    """A judge of a metric, by the digest over its prompt, model and rubric."""

    digest: str
    metric: str
    type: str
    model: str
    rubric: str
    threshold: float | None
    prompt_digest: str
    model_digest: str
    rubric_digest: str
    suites: tuple[str, ...]
    licence: LicenceOut

    @classmethod
    def of(cls, calibration: "Calibration", **more: Any) -> Self:
        """Build it from the domain value."""
        judge, figures = calibration.judge, calibration.figures
        licence = LicenceOut(
            state=figures.state,
            changed=tuple(part.value for part in figures.changed),
            labels=figures.labels,
            labels_needed=figures.missing,
        )
        fields = ("digest", "metric", "type", "model", "rubric", "threshold", "prompt_digest", "model_digest", "rubric_digest")
        return cls(**{name: getattr(judge, name) for name in fields}, suites=calibration.suites, licence=licence, **more)


class ConfusionOut(ResponseModel):
    """The number of labelled outputs by the label of people and the judge's verdict."""

    both_pass: int
    both_fail: int
    judge_alone: int
    people_alone: int


class CurvePointOut(ResponseModel):
    """What people passed of the outputs whose score lies in a part of [0, 1]."""

    low: float
    high: float
    labels: int
    mean_score: float
    passed: IntervalFigures


class PopulationOut(ResponseModel):
    """The version of a dataset on whose cases the labelled outputs are."""

    dataset: str
    number: int
    digest: str
    cases: int


class CalibrationOut(JudgeOut):
    """A judge compared with people.

    `tuned` labels are left out because they tuned the judge, and `left_out` names other labels that are no random sample.
    """

    population: PopulationOut | None
    queues: tuple[str, ...]
    confusion: ConfusionOut | None
    sensitivity: IntervalFigures | None
    specificity: IntervalFigures | None
    kappa: AgreementFigures | None
    ac1: AgreementFigures | None
    curve: tuple[CurvePointOut, ...]
    tuned: int
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, calibration: "Calibration", **more: Any) -> Self:
        """Build it from the domain value."""
        figures, accuracy, dataset = calibration.figures, calibration.accuracy, calibration.dataset
        population = dataset and PopulationOut(
            dataset=dataset.name, number=dataset.number, digest=dataset.digest, cases=dataset.cases
        )
        more |= {
            "population": population,
            "queues": calibration.queues,
            "confusion": accuracy and ConfusionOut.model_validate(accuracy.confusion),
            "sensitivity": figures.sensitivity,
            "specificity": figures.specificity,
            "kappa": figures.kappa,
            "ac1": figures.ac1,
            "curve": tuple(CurvePointOut.model_validate(point) for point in accuracy.curve) if accuracy else (),
            "tuned": figures.tuned,
            "left_out": calibration.left_out,
        }
        return super().of(calibration, **more)


class CorrectionsOut(ResponseModel):
    """A finished run as the labels of now decide it; `decided` is the verdict that the run ended with."""

    run: str
    decided: Verdict | None
    verdict: Verdict
    judges: tuple[JudgeFigures, ...]
    corrections: tuple[CorrectionFigures, ...]
    gates: tuple[GateResult, ...]


class JudgeMappingOut(ResponseModel):
    """How a queue's decisions become labels of a judged metric."""

    metric: str
    passes: list[LabelValue]
    fails: list[LabelValue] | None
    field: str | None


class TuningMark(RequestModel):
    """Items of a queue whose labels tuned a judge, or did not after all."""

    items: Annotated[list[NonEmptyText], Field(min_length=1, max_length=1000)]
    tuning: bool = True


class TuningOut(ResponseModel):
    """How many items were marked."""

    marked: int
