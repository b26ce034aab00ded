"""What the routes of evaluations take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.paging import Page
from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.case import Case, case_to_json
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.plan import plan_to_json
from promptuary.evaluation.runs.service import ResultWithCase
from promptuary.evaluation.runs.store import DatasetVersion, Run
from promptuary.prompt.name import Name

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewDatasetVersion(RequestModel):
    """The cases of a dataset's next version, in their order."""

    cases: Annotated[list[CaseIn], Field(min_length=1, max_length=100_000)]


class DatasetOut(ResponseModel):
    """A version of a dataset, without its cases."""

    name: str
    version: int
    digest: str
    cases: int
    author: str
    created_at: datetime

    @classmethod
    def of(cls, dataset: DatasetVersion, **more: Any) -> Self:
        """Make it from the domain's value."""
        return cls(version=dataset.number, **{name: value for name, value in vars(dataset).items() if name != "number"}, **more)


class DatasetPageOut(DatasetOut):
    """A version of a dataset with a page of its cases."""

    items: list[dict[str, Any]]
    next_cursor: str | None

    @classmethod
    def paged(cls, dataset: DatasetVersion, cases: Page[Case]) -> Self:
        """Make it from the domain's values."""
        return cls.of(dataset, items=[case_to_json(case) for case in cases.items], next_cursor=cases.next_cursor)


class SuiteOut(ResponseModel):
    """A suite as it stands now."""

    name: str
    digest: str
    definition: dict[str, Any]
    updated_at: datetime


class NewRun(RequestModel):
    """What to run: a suite, and what differs from what the suite says."""

    suite: Name
    label: Name | None = None
    version: Number | None = None
    versions: Annotated[list[Number], Field(min_length=1, max_length=50)] | None = None
    baseline: Number | Name | None = None
    models: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=50)] | None = (
        None
    )
    repeats: Annotated[int, Field(ge=1, le=100)] | None = None
    dataset_version: Number | None = None
    cache: bool = True
    max_cost: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None


class ResumedRun(RequestModel):
    """How a run goes on: under a higher ceiling, in US dollars."""

    max_cost: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None


class RunOut(ResponseModel):
    """Where a run stands. `verdict` is pass, regression, inconclusive or infrastructure, once it is finished or stopped."""

    id: str
    suite: str
    state: str
    verdict: str | None
    total: int
    done: int
    prompt: str
    variants: list[dict[str, Any]]
    actor: str
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
        """Make it from the domain's value."""
        known = {name: getattr(run, name) for name in RunOut.model_fields if name not in ("prompt", "variants")}
        return cls(**known, prompt=run.plan.suite["prompt"], variants=plan_to_json(run.plan)["variants"], **more)


class WholeRunOut(RunOut):
    """A run with its plan and its summary."""

    plan: dict[str, Any]
    summary: dict[str, Any] | None

    @classmethod
    def whole(cls, run: Run) -> Self:
        """Make it from the domain's value."""
        return cls.of(run, plan=plan_to_json(run.plan), summary=run.summary)


class ResultOut(ResponseModel):
    """What one case came to under one variant in one repeat. `metrics` has each scorer's score, `detail` its reason."""

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
    tags: list[str]
    detail: dict[str, Any]
    at: datetime
    latency_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    cost: float | None
    cached: bool

    @classmethod
    def of(cls, shown: ResultWithCase) -> Self:
        """Make it from the domain's value."""
        case = shown.case
        return cls(**vars(shown.result), vars=case.vars, expected=case.expected, tags=list(case.tags), cluster=case.cluster)


class HistogramOut(ResponseModel):
    """How many results of a variant are in each of the equal parts of [0, 1]."""

    variant: str
    counts: list[int]


class ClusterMeanOut(ResponseModel):
    """The mean of one cluster's results under one variant."""

    cluster: str
    variant: str
    mean: float
    results: int


class DistributionOut(ResponseModel):
    """How a metric's values lie. `clusters` is how many there are; `means` has the largest."""

    metric: str
    spreads: list[HistogramOut]
    means: list[ClusterMeanOut]
    clusters: int


class EvidenceOut(ResponseModel):
    """What a finished run showed of one candidate under one model, and the digests of all that it rests on.

    `context` tells what the version's collection held when the run was submitted and when it ended, and whether that changed.
    """

    id: int
    run: str
    variant: str
    prompt: str
    version: int
    digest: str
    model: str
    suite: str
    suite_digest: str
    dataset: str
    dataset_digest: str
    judges: list[dict[str, Any]]
    context: dict[str, Any] | None
    verdict: str
    gates: list[dict[str, Any]]
    at: datetime


class ComparisonOut(ResponseModel):
    """A run's candidates against another run's; each comparison has the interval of candidate − baseline on one metric."""

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    comparisons: list[dict[str, Any]]


class SizeOut(ResponseModel):
    """A number of cases and repeats, the effect that they would show, and what they would cost in dollars and seconds."""

    cases: int
    repeats: int
    effect: float
    results: int
    cost: float | None
    seconds: float | None


class DemandOut(ResponseModel):
    """A demand of the gate: the effect that the suite as it is would show, and the cases that the wanted effect needs.

    `source` is `pilot` where an earlier run gave the spread, or `assumed`.
    """

    metric: str
    kind: str
    label: str | None
    effect: float
    spread: dict[str, float]
    design_effect: float
    source: str
    detectable: float
    cases_needed: int
    table: list[SizeOut]


class ForecastOut(ResponseModel):
    """What a suite would show if it were run now; `cost` and `seconds` are null where no earlier run tells them."""

    suite: str
    cases: int
    repeats: int
    variants: int
    power: float
    level: float
    pilot: str | None
    results: int
    cost: float | None
    seconds: float | None
    demands: list[DemandOut]
