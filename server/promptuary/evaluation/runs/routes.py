"""Runs over HTTP: submitted, resumed and cancelled, with their results, comparisons and projections."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_DECIMAL, Flag
from promptuary.core.wire import PageOf
from promptuary.evaluation.plan import SCORE
from promptuary.evaluation.runs.request import ResumeRequest, RunRequest
from promptuary.evaluation.runs.result_store import ResultFilter, ResultOrder
from promptuary.evaluation.runs.schemas import (
    DistributionOut,
    PlanOut,
    ResultOut,
    RunComparisonOut,
    RunOut,
    RunProjectionOut,
    WholeRunOut,
)
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunFilter, RunState
from promptuary.prompt.name import Name
from promptuary.statistics.verdict import Verdict

router = APIRouter(prefix="/v1", tags=["evaluation"], route_class=IdempotentRoute)
RUN_ID = r"^run_[0-9a-f]{1,60}$"
RunId = Annotated[str, Path(pattern=RUN_ID)]
Metric = Annotated[str | None, Query(max_length=200, pattern=r'^[^"\\\x00-\x1f]+$')]
Bound = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False), STRICT_DECIMAL]
Text = Annotated[str | None, Query(max_length=400)]
MIN_EFFECT = 1e-6
"""The smallest effect that a plan is made for; a smaller one needs more cases than anybody has."""
MIN_POWER, MAX_POWER = 0.05, 0.9999
"""The powers that a plan is made for; below the first, a run without any effect would succeed as often."""


@dataclass(frozen=True)
class ResultQuery:
    """The query's parameters that select and order results; see `ResultFilter`."""

    variant: Text = None
    passed: Flag | None = None
    errors: Flag = False
    case: Text = None
    tag: Text = None
    search: Text = None
    metric: Metric = None
    at_least: Bound = None
    at_most: Bound = None
    differing: Flag = False
    order: ResultOrder = ResultOrder.FILE


@router.get("/suites/{suite}/plan")
def plan_suite(
    suite: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    pilot: Annotated[str | None, Query(pattern=RUN_ID)] = None,
    effect: Annotated[float | None, Query(ge=MIN_EFFECT, le=1, allow_inf_nan=False), STRICT_DECIMAL] = None,
    power: Annotated[float, Query(ge=MIN_POWER, le=MAX_POWER, allow_inf_nan=False), STRICT_DECIMAL] = 0.8,
) -> RunProjectionOut:
    """Return what the suite's next run would show, and what more cases or repeats would buy; learns from a past run."""
    from promptuary.evaluation.runs.projection import project_run  # it needs numpy and scipy
    from promptuary.evaluation.verdict.power import ProjectionOptions

    return RunProjectionOut.model_validate(project_run(unit, suite, pilot=pilot, options=ProjectionOptions(effect, power)))


@router.post("/runs", status_code=202)
def submit_run(body: RunRequest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> WholeRunOut:
    """Queue a run, which a worker does. Everything that it does is decided now and stands in `plan`."""
    return WholeRunOut.of(RunService(unit).submit(body))


@router.post("/runs/check")
def check_run(body: RunRequest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> PlanOut:
    """Return the plan that a run would have; refuse what `POST /runs` refuses, and queue nothing."""
    return PlanOut.model_validate(RunService(unit).check(body))


@router.get("/runs")
def list_runs(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    suite: Annotated[Name | None, Query()] = None,
    state: RunState | None = None,
    verdict: Verdict | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[RunOut]:
    """Return runs, the newest first."""
    page = RunService(unit).list_runs(min(limit, unit.settings.page_limit), cursor, RunFilter(suite, state, verdict))
    return PageOf[RunOut](items=[RunOut.of(run) for run in page.items], next_cursor=page.next_cursor)


@router.get("/runs/{run}")
def read_run(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> WholeRunOut:
    """Return a run with its plan and, once it has finished, its summary."""
    return WholeRunOut.of(RunService(unit).get(run))


@router.get("/runs/{run}/results")
def list_results(
    run: RunId,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    query: Annotated[ResultQuery, Depends()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[ResultOut]:
    """Return a run's results, each with its case, also while the run is being done; by default all in the file's order.

    `errors` selects those without a verdict, `differing` the cases whose verdict is not the same under every variant;
    `at_least` and `at_most` bound the metric, by default the score.
    """
    selection = ResultFilter(**vars(query))
    page = RunService(unit).list_results(run, min(limit, unit.settings.page_limit), cursor, selection)
    return PageOf[ResultOut](items=[ResultOut.of(result) for result in page.items], next_cursor=page.next_cursor)


@router.get("/runs/{run}/distribution")
def read_distribution(
    run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], metric: Metric = None
) -> DistributionOut:
    """Return the distribution of a metric's case scores, by default the score's: in equal parts of [0, 1], and by cluster."""
    return DistributionOut.model_validate(RunService(unit).distribution(run, metric or SCORE))


@router.post("/runs/{run}/interrupt")
def interrupt_run(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> RunOut:
    """Stop a run until somebody resumes it; its results are kept. 409 when it is over."""
    return RunOut.of(RunService(unit).interrupt(run))


@router.post("/runs/{run}/cancel")
def cancel_run(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> RunOut:
    """Stop a run; its results are kept. 409 when it is over."""
    return RunOut.of(RunService(unit).cancel(run))


@router.post("/runs/{run}/resume", status_code=202)
def resume_run(run: RunId, body: ResumeRequest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> RunOut:
    """Resume a run that was interrupted, or that its cost limit stopped, under a higher limit.

    409 when it is over, or a worker has its lease.
    """
    return RunOut.of(RunService(unit).resume(run, body.max_cost))


@router.get("/runs/{run}/compare")
def compare_runs(
    run: RunId,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    baseline: Annotated[str, Query(pattern=RUN_ID)],
) -> RunComparisonOut:
    """Compare a finished run with another, paired by the cases' content."""
    return RunComparisonOut.model_validate(RunService(unit).compare(run, baseline))
