"""Runs, results and comparisons as the API answers them; the classes mirror the server's of the same name and `…Out`."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, Field

from promptuary_ui.wire.base import ApiModel


class Suite(ApiModel):
    """A suite in a list."""

    name: str


class IntervalFigures(ApiModel):
    """An estimate with its bounds; `level` is their confidence."""

    estimate: float
    low: float
    high: float
    level: float
    n: int


class MetricSummary(ApiModel):
    """One variant's mean on one metric, and the number of scored and unscored results."""

    interval: IntervalFigures | None = None
    scored: int = 0
    unscored: int = 0


class LatencyFigures(ApiModel):
    """The latencies of a variant, in milliseconds."""

    median: float | None = None
    slowest: float | None = None


class TokenFigures(ApiModel):
    """The numbers of input and output tokens."""

    input: int | None = None
    output: int | None = None


class VariantSummary(ApiModel):
    """A content under a model, or an application (`target`), with its figures by metric; `cost` is in US dollars."""

    name: str
    role: str = "candidate"
    model: str
    prompt: str | None = None
    version: int | None = None
    target: str | None = None
    target_versions: list[str] = Field(default_factory=list)
    results: int = 0
    errors: int = 0
    unrunnable: int = 0
    latency_ms: LatencyFigures | None = None
    tokens: TokenFigures | None = None
    cost: float | None = None
    metrics: dict[str, MetricSummary]


class Comparison(ApiModel):
    """The paired difference of two variants on one metric; `better` and `worse` are ids of cases."""

    candidate: str
    baseline: str
    model: str = ""
    metric: str
    interval: IntervalFigures | None = None
    p_value: float | None = None
    adjusted: float | None = None
    cases: int = 0
    better: list[str] = Field(default_factory=list)
    worse: list[str] = Field(default_factory=list)
    better_in_all: int | None = None
    worse_in_all: int | None = None

    @property
    def gains(self) -> int:
        """The number of cases that got better; of very many, only the first are listed."""
        return len(self.better) if self.better_in_all is None else self.better_in_all

    @property
    def losses(self) -> int:
        """The number of cases that got worse."""
        return len(self.worse) if self.worse_in_all is None else self.worse_in_all


class GateResult(ApiModel):
    """One demand of the gate, with its sentence; `bound` is the least mean, or the least difference."""

    metric: str
    verdict: str
    sentence: str
    kind: str = ""
    bound: float | None = None
    candidate: str | None = None
    baseline: str | None = None


class Summary(ApiModel):
    """The summary of a finished run."""

    metrics: list[str]
    cases: int
    results: int
    errors: int
    unrunnable: int = 0
    metrics_left_out: int = 0
    stopped_early: bool = False
    variants: list[VariantSummary]
    comparisons: list[Comparison] = Field(default_factory=list)
    gates: list[GateResult] = Field(default_factory=list)
    judges: list[Any] = Field(default_factory=list)


class PlannedVariant(ApiModel):
    """A variant as a run plans it."""

    name: str
    role: str = "candidate"
    model: str = ""


class Run(ApiModel):
    """A run; without a summary until it is finished. `spent` is in US dollars, as far as prices are known."""

    id: str
    suite: str
    state: str
    verdict: str | None = None
    error: str | None = None
    total: int
    done: int
    prompt: str | None = None
    variants: list[PlannedVariant] = Field(default_factory=list)
    actor: str = ""
    spent: float = 0.0
    schedule: str | None = None
    tracking_id: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    summary: Summary | None = None

    @property
    def over(self) -> bool:
        """Whether nothing changes any more."""
        return self.state not in ("queued", "running")

    @property
    def who(self) -> str:
        """Who submitted it, as people know them."""
        return self.actor.removeprefix("key:")


class ScorerOutcome(ApiModel):
    """One scorer's outcome for a result; a set of scorers has parts."""

    name: str = ""
    score: float | None = None
    passed: bool | None = None
    reason: str | None = None
    error: str | None = None
    parts: list["ScorerOutcome"] = Field(default_factory=list)


class ApplicationDetail(ApiModel):
    """How an application answered."""

    address: str | None = None
    status: int | None = None
    version: str | None = None


class Turn(ApiModel):
    """A turn of a conversation: the messages that it added, its verdict, and what it took."""

    messages: list[dict[str, Any]] = Field(default_factory=list)
    output: str = ""
    passed: bool | None = None
    score: float | None = None
    scores: dict[str, ScorerOutcome] | None = None
    latency_ms: float | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    cost: float | None = None
    cached: bool = False

    @property
    def verdict(self) -> str:
        """`passed`, `failed`, or `error` where there is no verdict."""
        return "error" if self.passed is None else "passed" if self.passed else "failed"


class ResultDetail(ApiModel):
    """The details of a result: scores with reasons, messages and passages, and how an application answered."""

    scores: dict[str, ScorerOutcome] = Field(default_factory=dict)
    messages: list[dict[str, Any]] = Field(default_factory=list)
    passages: list[dict[str, Any]] = Field(default_factory=list)
    application: ApplicationDetail = Field(default_factory=ApplicationDetail)
    refusal: str | None = None
    reasoning: str | None = None
    invalid_tool_calls: list[dict[str, Any]] = Field(default_factory=list)
    turns: list[Turn] = Field(default_factory=list)


class Result(ApiModel):
    """The result of one case under one variant in one repeat, with the case."""

    ordinal: int = 0
    case: str
    variant: str
    repeat: int = 0
    passed: bool | None = Field(default=None, validation_alias=AliasChoices("pass", "passed"))
    score: float | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)
    output: str | None = None
    error: str | None = None
    vars: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None
    tags: list[str] = Field(default_factory=list)
    cluster: str | None = None
    detail: ResultDetail = Field(default_factory=ResultDetail)
    latency_ms: float | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    cost: float | None = None
    cached: bool = False

    @property
    def verdict(self) -> str:
        """Passed, failed or error; an error is no failure."""
        if self.error is not None or self.passed is None:
            return "error"
        return "passed" if self.passed else "failed"

    @property
    def title(self) -> str:
        """The variant, and the number of the repeat where there was one before."""
        return self.variant if self.repeat == 0 else f"{self.variant}, repeat {self.repeat + 1}"


class Histogram(ApiModel):
    """The numbers of a variant's results in equal bins of [0, 1]."""

    variant: str
    counts: list[int]


class ClusterMean(ApiModel):
    """The mean of one cluster's results under one variant."""

    cluster: str
    variant: str
    mean: float
    results: int


class Distribution(ApiModel):
    """The distribution of a metric's values; `means` has the largest of `clusters`."""

    metric: str
    spreads: list[Histogram]
    means: list[ClusterMean]
    clusters: int


class UnpairedCases(ApiModel):
    """The cases of one run without a counterpart in the other for one reason; `examples` has the first ids."""

    run: str
    reason: str
    cases: int
    examples: list[str]


class RunComparison(ApiModel):
    """A run's candidates against another run's, on the `cases` whose content both have.

    `renamed` has the baseline's id of each listed case that has another id there.
    """

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    unpaired: list[UnpairedCases] = Field(default_factory=list)
    renamed: dict[str, str] = Field(default_factory=dict)
    changed_metrics: list[str] = Field(default_factory=list)
    comparisons: list[Comparison]
