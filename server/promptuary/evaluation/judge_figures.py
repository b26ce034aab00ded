"""The figures of a judge that is compared with people, as the summary's JSON has them."""

from enum import StrEnum

from pydantic import Field

from promptuary.evaluation.summary_part import IntervalFigures, SummaryPart, is_empty, is_none


class LicenceState(StrEnum):
    """Whether a judge's figures may be relied on."""

    VALID = "valid"
    """Enough outputs of the same population, judged in the same way, were labelled."""
    EXPIRED = "expired"
    """Labels are of another state of the judge or of the population, which `changed` names."""
    TOO_FEW_LABELS = "too_few_labels"
    """More labels are needed."""


class ChangedPart(StrEnum):
    """What changed since a judge was compared with people."""

    PROMPT = "judge prompt"
    """The judge's instruction, the form of its answer, or what of the output it reads."""
    MODEL = "model"
    """The judge's model or its settings."""
    RUBRIC = "rubric"
    """What the judge looks for, or the score from which on it passes."""
    POPULATION = "population"
    """The cases from which the labelled outputs were drawn."""


class AgreementFigures(SummaryPart):
    """A chance-corrected coefficient with its interval, or the reason why it is undefined.

    Attributes:
        value: None where undefined.
        reason: why it is undefined; None where it is not.
        low: the lower bound; None where there is no interval.
        high: the upper bound; None where there is no interval.
    """

    value: float | None
    reason: str | None
    low: float | None
    high: float | None


class JudgeFigures(SummaryPart):
    """A judge compared with people.

    Attributes:
        metric: that the judge scores.
        digest: of the judge's prompt, model and rubric.
        model: the judge's, in LangChain's `provider:model` form.
        state: whether the figures may be relied on.
        changed: what has changed since labels were made; empty unless it has expired.
        labels: the number of labels that the judge is compared with.
        missing: how many labels are still needed; 0 where it is valid.
        tuned: how many labels are left out, because they tuned the judge.
        sensitivity: the share that the judge passes of what people pass; None where there is no such label.
        specificity: the share that the judge fails of what people fail; None where there is no such label.
        kappa: Cohen's; None without labels.
        ac1: Gwet's; None without labels.
    """

    metric: str
    digest: str
    model: str
    state: LicenceState
    changed: tuple[ChangedPart, ...] = Field(default=(), exclude_if=is_empty)
    labels: int = 0
    missing: int = 0
    tuned: int = 0
    sensitivity: IntervalFigures | None = None
    specificity: IntervalFigures | None = None
    kappa: AgreementFigures | None = None
    ac1: AgreementFigures | None = None


class CorrectionFigures(SummaryPart):
    """A judge's mean, or paired difference of means, beside the one corrected by labels of people.

    Attributes:
        metric: that the judge scores.
        variant: the variant's name; of a difference the candidate's.
        baseline: the baseline's name for a difference; None for a mean.
        raw: of the judge alone; None where no case has a score.
        corrected: of the labels with the judge's help; None where it cannot be computed.
        tuning: λ, the weight of the judge, from 0 to 1.
        labels: the number of labels; of a difference, of outputs with a label on both sides.
        effective_labels: the number of labels without a judge that give the same width.
        labels_to_halve: how many more labels halve the interval; None where labels of all cases do not.
        missing: how many labels are missing before it can be computed; None where it is computed, or labels are not enough.
        reason: why it cannot be computed; None where it is.
    """

    metric: str
    variant: str
    baseline: str | None = Field(default=None, exclude_if=is_none)
    raw: IntervalFigures | None
    corrected: IntervalFigures | None = None
    tuning: float | None = None
    labels: int = 0
    effective_labels: float | None = None
    labels_to_halve: int | None = None
    missing: int | None = None
    reason: str | None = None
