"""The typed results of a run: its summary, with the comparisons and the gate's results.

These models are the one description of the summary's JSON. The database column, the HTTP API, the report files and the copy in
MLflow are made from them.
"""

from enum import StrEnum
from typing import Self

from pydantic import Field

from promptuary.evaluation.judge_figures import CorrectionFigures, JudgeFigures
from promptuary.evaluation.summary_part import IntervalFigures, SummaryPart, is_empty, is_none
from promptuary.statistics.verdict import Verdict

__all__ = [
    "Comparison",
    "GateKind",
    "GateResult",
    "IntervalFigures",
    "LatencyFigures",
    "MetricSummary",
    "Summary",
    "TokenFigures",
    "VariantRole",
    "VariantSummary",
]


class VariantRole(StrEnum):
    """The part of a variant in its run."""

    CANDIDATE = "candidate"
    """The version that the run is about; the gate judges it."""
    BASELINE = "baseline"
    """A version that the candidate is compared with, on the same cases."""


class GateKind(StrEnum):
    """What one check of a gate requires."""

    EVERY = "every"
    """Every case has the full score."""
    AT_LEAST = "at_least"
    """The lower confidence bound of the mean reaches a floor."""
    NOT_WORSE_THAN = "not_worse_than"
    """The lower confidence bound of the paired difference stays above minus the margin."""


class MetricSummary(SummaryPart):
    """The mean of one metric under one variant.

    Attributes:
        interval: of the mean over cases; None where no case has a score.
        scored: the number of results with a score.
        unscored: the number of results without one.
    """

    interval: IntervalFigures | None
    scored: int
    unscored: int


class LatencyFigures(SummaryPart):
    """The latency of a variant's results, in milliseconds."""

    median: float
    slowest: float


class TokenFigures(SummaryPart):
    """The number of tokens of a variant's results, over all of them."""

    input: int
    output: int


class VariantSummary(SummaryPart):
    """The figures of one variant.

    Attributes:
        name: unique in the run.
        role: candidate or baseline.
        model: in LangChain's `provider:model` form; empty for an application.
        prompt: the prompt's name; None for an application.
        version: its number; None for an application.
        digest: of the version's content, or of the application's definition.
        references: the labels and versions of the request that led to this variant.
        target: the application's name; None for a prompt.
        target_versions: of the application: the one that the suite states, or all that its answers stated.
        results: the number of results.
        errors: the number of results without an output.
        unrunnable: the number of results without a verdict.
        latency_ms: None where no result has a latency.
        tokens: None where no provider counted them.
        cost: in US dollars; None where no price is known.
        metrics: the means, by the metric's name.
        missing: the number of results that the cost limit prevented; None for a run that it did not stop.
    """

    name: str
    role: VariantRole
    model: str
    prompt: str | None
    version: int | None
    digest: str
    references: tuple[str, ...] = ()
    target: str | None = Field(default=None, exclude_if=is_none)
    target_versions: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    results: int
    errors: int
    unrunnable: int
    latency_ms: LatencyFigures | None = None
    tokens: TokenFigures | None = None
    cost: float | None = None
    metrics: dict[str, MetricSummary]
    missing: int | None = Field(default=None, exclude_if=is_none)


class Comparison(SummaryPart):
    """The paired difference candidate − baseline on one metric, over the cases that have a score under both.

    Attributes:
        model: of both variants.
        candidate: the variant's name.
        baseline: the variant's name.
        metric: the metric's name.
        interval: of the mean difference; None where no case has a score under both.
        p_value: McNemar's exact p-value; None unless the scores are 0 or 1 and the cases independent.
        cases: the number of cases with a score under both.
        unpaired: the number of cases with a score under one of them only.
        better: the ids of the cases whose score is higher under the candidate; of very many the first ones.
        worse: the ids of the cases whose score is lower under the candidate; of very many the first ones.
        better_in_all: how many cases are better, where `better` leaves some out.
        worse_in_all: how many cases are worse, where `worse` leaves some out.
        adjusted: Holm's adjusted p-value over the metrics that the gate names; None for other metrics.
    """

    model: str
    candidate: str
    baseline: str
    metric: str
    interval: IntervalFigures | None
    p_value: float | None = None
    cases: int
    unpaired: int
    better: tuple[str, ...]
    worse: tuple[str, ...]
    better_in_all: int | None = Field(default=None, exclude_if=is_none)
    worse_in_all: int | None = Field(default=None, exclude_if=is_none)
    adjusted: float | None = None

    @property
    def better_count(self) -> int:
        """The number of cases that are better under the candidate."""
        return len(self.better) if self.better_in_all is None else self.better_in_all

    @property
    def worse_count(self) -> int:
        """The number of cases that are worse under the candidate."""
        return len(self.worse) if self.worse_in_all is None else self.worse_in_all


class GateResult(SummaryPart):
    """One check of the gate on one candidate, with its verdict.

    Attributes:
        metric: the metric's name.
        kind: what the check requires.
        bound: the floor of the mean, minus the margin of the difference, or 1 for every case.
        label: the baseline's label as the gate names it; None for a check without a baseline.
        model: of the candidate.
        candidate: the variant's name.
        baseline: the variant's name; None where there is none.
        interval: of the mean or of the difference; None where no interval decides.
        verdict: of this check.
        sentence: the verdict and its reason, for people.
        corrected: whether the interval is that of the mean, or difference, corrected by labels of people.
        missing_labels: how many labels of people are missing for a verdict; None where none are.
    """

    metric: str
    kind: GateKind
    bound: float
    label: str | None
    model: str
    candidate: str
    baseline: str | None
    interval: IntervalFigures | None
    verdict: Verdict
    sentence: str
    corrected: bool = Field(default=False, exclude_if=is_empty)
    missing_labels: int | None = Field(default=None, exclude_if=is_none)


class Summary(SummaryPart):
    """The summary of a finished or stopped run.

    Attributes:
        verdict: of the whole run.
        metrics: the names of the metrics, in the order in which they are shown.
        metrics_left_out: the number of metrics of single cases' scorers beyond the limit.
        cases: the number of cases of the dataset.
        results: the number of results of all variants.
        errors: the number of results without an output.
        unrunnable: the number of results without a verdict.
        infrastructure: whether too many results of a variant have no verdict.
        stopped_early: whether the run ended as soon as its gate was decided.
        variants: in the plan's order.
        comparisons: each candidate with each baseline of its model, metric by metric.
        gates: every check of the suite's gate on every candidate.
        missing: the number of results that the cost limit prevented; None for a run that it did not stop.
        judges: each judge of a metric, compared with the labels that people had given when the run finished.
        corrections: of each judge's metric under each variant, and of each comparison on it, the mean corrected by labels.
    """

    verdict: Verdict
    metrics: tuple[str, ...]
    metrics_left_out: int = 0
    cases: int
    results: int
    errors: int
    unrunnable: int
    infrastructure: bool
    stopped_early: bool = False
    variants: tuple[VariantSummary, ...]
    comparisons: tuple[Comparison, ...]
    gates: tuple[GateResult, ...]
    missing: int | None = Field(default=None, exclude_if=is_none)
    judges: tuple[JudgeFigures, ...] = Field(default=(), exclude_if=is_empty)
    corrections: tuple[CorrectionFigures, ...] = Field(default=(), exclude_if=is_empty)

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Build the summary from its stored JSON.

        Raises:
            pydantic.ValidationError: when the JSON is not that of a summary.
        """
        return cls.model_validate(body)

    def variant(self, name: str) -> VariantSummary | None:
        """Return the figures of a variant by its name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def gates_of(self, candidate: str) -> tuple[GateResult, ...]:
        """Return the gate's results for one candidate."""
        return tuple(gate for gate in self.gates if gate.candidate == candidate)
