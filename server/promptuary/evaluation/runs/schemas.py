"""The wire models of runs, their results, comparisons and projections."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from promptuary.core.wire import ResponseModel, SchemaOf
from promptuary.evaluation.runs.service import ResultWithCase
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Comparison, GateKind, Summary, VariantRole
from promptuary.evaluation.verdict.pairing import UnpairedReason
from promptuary.models.model_spec import ModelSpec
from promptuary.statistics.verdict import Verdict


class VariantOut(ResponseModel):
    """One version of a prompt under one model, or one application, as the run's plan has it.

    An application has a `target`, its name, and no prompt, version and model; the suite states its `target_version`.
    """

    name: str
    role: VariantRole
    model: str
    prompt: str | None
    version: int | None
    digest: str
    references: tuple[str, ...]
    collection: str | None
    context_digest: str | None
    target: str | None
    target_version: str | None
    model_spec: Annotated[dict[str, Any] | None, SchemaOf(ModelSpec)] = Field(
        default=None, exclude_if=lambda spec: spec is None
    )


class PlannedDatasetOut(ResponseModel):
    """The dataset version that a run is about."""

    id: int
    name: str
    number: int
    digest: str
    cases: int


class DatasetPartOut(ResponseModel):
    """Of which dataset version the cases of a run are a part, and how they were selected."""

    dataset: str
    number: int
    cases: int
    failing_in: str | None
    sample: int | None
    seed: int
    erased: int = Field(default=0, exclude_if=lambda erased: erased == 0)


class TrafficPartOut(ResponseModel):
    """Of which sampled calls of production the cases of a run are made, and why others are dropped."""

    since: str
    until: str
    calls: int
    replayed: int
    dropped: dict[str, int]
    dropped_share: float
    examples: dict[str, tuple[str, ...]]


class PlanOut(ResponseModel):
    """Everything that a run does, decided when it was submitted."""

    suite: Annotated[dict[str, Any], SchemaOf(Suite)]
    suite_digest: str
    dataset: PlannedDatasetOut
    variants: tuple[VariantOut, ...]
    repeats: int
    concurrency: int
    missing: tuple[str, ...]
    cache: bool
    max_cost: float | None
    part: DatasetPartOut | None
    traffic: TrafficPartOut | None = Field(default=None, exclude_if=lambda traffic: traffic is None)


_OF_THE_PLAN = ("prompt", "targets", "variants")


class RunOut(ResponseModel):
    """The state of a run, of a prompt or of applications (`targets`); `verdict` is there once it is finished or stopped."""

    id: str
    suite: str
    state: RunState
    verdict: Verdict | None
    total: int
    done: int
    prompt: str | None
    targets: tuple[str, ...]
    variants: tuple[VariantOut, ...]
    actor: str
    actor_id: str
    worker: str | None
    error: str | None
    tracking_id: str | None
    spent: float
    schedule: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, run: Run, **more: Any) -> Self:
        """Build it from the domain value."""
        fields = {name: getattr(run, name) for name in RunOut.model_fields if name not in _OF_THE_PLAN}
        variants = tuple(VariantOut.model_validate(variant) for variant in run.plan.variants)
        return cls(**fields, prompt=run.plan.prompt, targets=run.plan.targets, variants=variants, **more)


class WholeRunOut(RunOut):
    """A run with its plan and its summary."""

    plan: PlanOut
    summary: Summary | None

    @classmethod
    def of(cls, run: Run, **more: Any) -> Self:
        """Build it from the domain value."""
        return super().of(run, plan=PlanOut.model_validate(run.plan), summary=run.summary, **more)


class ScoreDetailOut(BaseModel):
    """What one scorer decided of a result, and why."""

    passed: bool | None = None
    score: float | None = None
    reason: str | None = None
    error: str | None = None
    name: str | None = None
    parts: "list[ScoreDetailOut] | None" = None


class PassageDetailOut(BaseModel):
    """A passage that was retrieved for the prompt, with its score in the search."""

    document: str
    chunk: int
    digest: str
    score: float


class InvalidToolCallOut(BaseModel):
    """A call of a tool whose arguments are no JSON object; `args` is as the model wrote them."""

    name: str
    args: str
    id: str | None
    error: str


class ApplicationDetailOut(BaseModel):
    """How an application answered; each entry is there only where it is known."""

    address: str | None = None
    status: int | None = None
    version: str | None = None


class TurnDetailOut(BaseModel):
    """What a turn of a conversation came to; no scores and no verdict where a later turn was not answered.

    `messages` are those that the turn added: the user's, calls of tools with their results, and the answer.
    """

    messages: list[dict[str, Any]]
    output: str
    passed: bool | None = None
    score: float | None = None
    scores: dict[str, ScoreDetailOut] | None = None
    latency_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    cost: float | None
    cached: bool


class ResultDetailOut(BaseModel):
    """What people look at beside a result's figures; each entry is there only where there is something to show."""

    scores: dict[str, ScoreDetailOut] | None = None
    messages: list[dict[str, Any]] | None = None
    passages: list[PassageDetailOut] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    answer: str | None = None
    application: ApplicationDetailOut | None = None
    invalid_tool_calls: list[InvalidToolCallOut] | None = None
    turns: list[TurnDetailOut] | None = None


class ResultOut(ResponseModel):
    """The result of one case under one variant in one repeat. `metrics` has each scorer's score, `detail` its reason."""

    ordinal: int
    case: str
    variant: str
    repeat: int
    passed: bool | None = Field(serialization_alias="pass")
    score: float | None
    metrics: dict[str, float | None]
    output: str | None
    error: str | None
    vars: dict[str, Any]
    expected: Any
    cluster: str | None
    weight: float
    tags: tuple[str, ...]
    detail: Annotated[dict[str, Any], SchemaOf(ResultDetailOut)]
    at: datetime
    latency_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    cost: float | None
    cached: bool

    @classmethod
    def of(cls, result: ResultWithCase) -> Self:
        """Build it from the domain values."""
        case = result.case
        own = {name: getattr(case, name) for name in ("vars", "expected", "tags", "cluster", "weight")}
        return cls(**vars(result.result), **own)


class HistogramOut(ResponseModel):
    """How many cases of a variant have a score in each of the equal parts of [0, 1]; repeats are averaged."""

    variant: str
    counts: tuple[int, ...]


class ClusterMeanOut(ResponseModel):
    """The mean over one cluster's cases under one variant, and the number of its results."""

    cluster: str
    variant: str
    mean: float
    results: int


class DistributionOut(ResponseModel):
    """The distribution of a metric's case scores. `clusters` is how many there are; `means` has the largest."""

    metric: str
    spreads: tuple[HistogramOut, ...] = Field(validation_alias="histograms")
    means: tuple[ClusterMeanOut, ...]
    clusters: int


class UnpairedCasesOut(ResponseModel):
    """How many cases of a run have no counterpart in the other run for one reason, and the ids of the first five."""

    run: str
    reason: UnpairedReason
    cases: int
    examples: tuple[str, ...]


class RunComparisonOut(ResponseModel):
    """A run's candidates against another run's; each comparison has the interval of candidate − baseline on one metric.

    `cases` counts the pairs: cases with the same variables, expected output and checks. `renamed` has the baseline's id of each
    listed case that has another id there, `changed_metrics` the metrics whose scorers are not the same in both suites.
    """

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    unpaired: tuple[UnpairedCasesOut, ...]
    renamed: dict[str, str]
    changed_metrics: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


class RunSizeOut(ResponseModel):
    """A number of cases and repeats, the effect that they would show, and their cost in US dollars and time in seconds."""

    cases: int
    repeats: int
    effect: float
    results: int
    cost: float | None
    seconds: float | None


class VarianceComponentsOut(ResponseModel):
    """The variance between cases, and within the candidate's and the baseline's repeats."""

    between: float
    candidate: float
    baseline: float


class DemandPowerOut(ResponseModel):
    """A demand of the gate: the effect that the suite as it is would show, and the cases that the wanted effect needs.

    `source` is `pilot` where an earlier run gave the spread, or `assumed`.
    """

    metric: str
    kind: GateKind
    label: str | None
    effect: float
    spread: VarianceComponentsOut
    design_effect: float
    source: str
    detectable: float
    cases_needed: int
    table: tuple[RunSizeOut, ...]


class RunProjectionOut(ResponseModel):
    """What a suite's next run would show; `cost` and `seconds` are null where no earlier run gives them.

    `effective` is, of cases with different weights, the number of equally weighted ones with the same information.
    """

    suite: str
    cases: int
    effective: float | None
    repeats: int
    variants: int
    power: float
    level: float
    pilot: str | None
    results: int
    cost: float | None
    seconds: float | None
    demands: tuple[DemandPowerOut, ...]


class FinishedRunData(ResponseModel):
    """The data of the event: the run, its verdict, and the schedule that submitted it, if one did."""

    project: str
    run: str
    suite: str
    verdict: str
    schedule: str | None
    actor: str
    actor_id: str
