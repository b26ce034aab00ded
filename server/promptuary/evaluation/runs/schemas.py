"""What the routes of evaluations take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.paging import Page
from promptuary.core.wire import RequestModel, ResponseModel, SchemaOf
from promptuary.evaluation.case import Case, case_to_json
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.evidence.evidence import ContextEvidence, JudgeIdentity
from promptuary.evaluation.runs.service import ResultWithCase
from promptuary.evaluation.runs.store import DatasetVersion, Run
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Comparison, GateResult, Summary, VariantRole
from promptuary.statistics.verdict import Verdict


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
    definition: Annotated[dict[str, Any], SchemaOf(Suite)]
    updated_at: datetime


class VariantOut(ResponseModel):
    """One version under one model, as the run's plan has it."""

    name: str
    role: VariantRole
    model: str
    prompt: str
    version: int
    digest: str
    references: tuple[str, ...]
    collection: str | None
    context_digest: str | None


class PlannedDatasetOut(ResponseModel):
    """The dataset version that a run is about."""

    id: int
    name: str
    number: int
    digest: str
    cases: int


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


class RunOut(ResponseModel):
    """Where a run stands. `verdict` is pass, regression, inconclusive or infrastructure, once it is finished or stopped."""

    id: str
    suite: str
    state: str
    verdict: str | None
    total: int
    done: int
    prompt: str
    variants: tuple[VariantOut, ...]
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
        variants = tuple(VariantOut.model_validate(variant) for variant in run.plan.variants)
        return cls(**known, prompt=run.plan.prompt, variants=variants, **more)


class WholeRunOut(RunOut):
    """A run with its plan and its summary."""

    plan: PlanOut
    summary: Summary | None

    @classmethod
    def whole(cls, run: Run) -> Self:
        """Make it from the domain's value."""
        return cls.of(run, plan=PlanOut.model_validate(run.plan), summary=run.summary)


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
    judges: tuple[JudgeIdentity, ...]
    context: ContextEvidence | None
    verdict: Verdict
    gates: tuple[GateResult, ...]
    at: datetime


class RunComparisonOut(ResponseModel):
    """A run's candidates against another run's; each comparison has the interval of candidate − baseline on one metric."""

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    comparisons: tuple[Comparison, ...]


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
