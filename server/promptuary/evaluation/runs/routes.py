"""Evaluations over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import PageOf
from promptuary.evaluation.datasets import upload
from promptuary.evaluation.evidence import service as evidence_service
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.plan import SCORE
from promptuary.evaluation.runs.request import ResumeRequest, RunRequest
from promptuary.evaluation.runs.result_store import ResultOrder, ResultSelection
from promptuary.evaluation.runs.schemas import (
    DatasetOut,
    DatasetPageOut,
    DistributionOut,
    EvidenceOut,
    ForecastOut,
    NewDatasetVersion,
    ResultOut,
    RunComparisonOut,
    RunOut,
    SuiteOut,
    WholeRunOut,
)
from promptuary.evaluation.runs.service import Evaluations
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.name import Name
from promptuary.statistics.verdict import Verdict

router = APIRouter(tags=["evaluation"], route_class=IdempotentRoute)
NumberQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
RunId = Annotated[str, Path(pattern=r"^run_[0-9a-f]{1,60}$")]
Metric = Annotated[str | None, Query(max_length=200, pattern=r'^[^"\\\x00-\x1f]+$')]
Bound = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str | None, Query(max_length=400)]


@router.post(
    "/datasets/{dataset}/versions",
    status_code=201,
    responses={200: {"model": DatasetOut}},
    openapi_extra=upload.REQUEST_BODY_SCHEMA,
)
def put_dataset_version(
    dataset: PathName, body: NewDatasetVersion, response: Response, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]
) -> DatasetOut:
    """Store a dataset's next version: 201 for a new one, 200 when the newest version has the same cases.

    A large one is sent as lines: `Content-Type: application/x-ndjson`, one case a line.
    """
    put = Evaluations(unit).put_dataset_version(dataset, [item.case() for item in body.cases])
    response.status_code = 201 if put.created else 200
    return DatasetOut.of(put.version)


@router.get("/datasets")
def list_datasets(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[DatasetOut]:
    """List datasets by name, each by its newest version."""
    found = Evaluations(unit).datasets(min(limit, unit.settings.page_limit), cursor)
    return PageOf[DatasetOut](items=[DatasetOut.of(item) for item in found.items], next_cursor=found.next_cursor)


@router.get("/datasets/{dataset}")
def read_dataset(
    dataset: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    version: NumberQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DatasetPageOut:
    """Give a version of a dataset, the newest by default, with a page of its cases."""
    evaluations = Evaluations(unit)
    found = evaluations.dataset(dataset, version)
    return DatasetPageOut.paged(found, evaluations.cases(found, min(limit, unit.settings.page_limit), cursor))


@router.put("/suites/{suite}")
def put_suite(suite: PathName, body: Suite, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> SuiteOut:
    """Write a suite, over the one of that name; runs keep the definition that they ran."""
    if body.name != suite:
        raise InvalidRequest("the suite cannot be used", [FieldError("name", f"is not '{suite}', the name in the path")])
    return SuiteOut.model_validate(Evaluations(unit).put_suite(body))


@router.get("/suites")
def list_suites(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[SuiteOut]:
    """List suites by name."""
    return PageOf[SuiteOut].model_validate(Evaluations(unit).suites(min(limit, unit.settings.page_limit), cursor))


@router.get("/suites/{suite}")
def read_suite(suite: PathName, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> SuiteOut:
    """Give a suite as it stands now."""
    return SuiteOut.model_validate(Evaluations(unit).suite(suite))


@router.get("/suites/{suite}/plan")
def plan_suite(
    suite: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    pilot: Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{1,60}$")] = None,
    effect: Annotated[float | None, Query(gt=0, le=1, allow_inf_nan=False)] = None,
    power: Annotated[float, Query(gt=0, lt=1, allow_inf_nan=False)] = 0.8,
) -> ForecastOut:
    """Say what the suite would show if it were run now, and what more cases or repeats would buy; learns from a past run."""
    from promptuary.evaluation.runs.projection import project_run

    return ForecastOut.model_validate(project_run(Evaluations(unit), suite, pilot=pilot, effect=effect, power=power))


@router.post("/runs", status_code=202)
def submit_run(body: RunRequest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> WholeRunOut:
    """Queue a run; a worker does it. What it is to do is decided now and told in `plan`."""
    return WholeRunOut.whole(Evaluations(unit).submit(body))


@router.get("/runs")
def list_runs(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    suite: Annotated[Name | None, Query()] = None,
    state: RunState | None = None,
    verdict: Verdict | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[RunOut]:
    """List runs, the newest first."""
    found = Evaluations(unit).runs(min(limit, unit.settings.page_limit), cursor, suite, state, verdict)
    return PageOf[RunOut](items=[RunOut.of(item) for item in found.items], next_cursor=found.next_cursor)


@router.get("/runs/{run}")
def read_run(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> WholeRunOut:
    """Give a run with its plan and, once it has finished, its summary."""
    return WholeRunOut.whole(Evaluations(unit).run(run))


@router.get("/runs/{run}/results")
def list_results(
    run: RunId,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    variant: Text = None,
    passed: bool | None = None,
    errors: bool = False,
    case: Text = None,
    tag: Text = None,
    search: Text = None,
    metric: Metric = None,
    at_least: Bound = None,
    at_most: Bound = None,
    differing: bool = False,
    order: ResultOrder = ResultOrder.FILE,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[ResultOut]:
    """List a run's results, each with its case, also while it is being done; those that are wanted, in the file's order.

    `errors` gives those without a verdict, `differing` the cases whose verdict is not the same under every variant;
    `at_least` and `at_most` bound the metric, by default the score.
    """
    wanted = ResultSelection(variant, passed, errors, case, tag, search, metric, at_least, at_most, differing, order)
    found = Evaluations(unit).selected(run, wanted, min(limit, unit.settings.page_limit), cursor)
    return PageOf[ResultOut](items=[ResultOut.of(item) for item in found.items], next_cursor=found.next_cursor)


@router.get("/runs/{run}/distribution")
def read_distribution(
    run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], metric: Metric = None
) -> DistributionOut:
    """Tell how a metric's values lie, by default the score's: in equal parts of [0, 1], and as means of clusters."""
    return DistributionOut.model_validate(Evaluations(unit).distribution(run, metric or SCORE))


@router.post("/runs/{run}/cancel")
def cancel_run(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> RunOut:
    """Stop a run; the results that it has are kept. 409 when it is over."""
    return RunOut.of(Evaluations(unit).cancel(run))


@router.post("/runs/{run}/resume", status_code=202)
def resume_run(run: RunId, body: ResumeRequest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)]) -> RunOut:
    """Let a run go on that its cost ceiling has stopped, under a higher one. 409 when it is over, or somebody works on it."""
    return RunOut.of(Evaluations(unit).resume(run, body.max_cost))


@router.get("/runs/{run}/compare")
def compare_runs(
    run: RunId,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    baseline: Annotated[str, Query(pattern=r"^run_[0-9a-f]{1,60}$")],
) -> RunComparisonOut:
    """Compare a finished run with another, paired by the cases' ids."""
    return RunComparisonOut.model_validate(Evaluations(unit).compare(run, baseline))


@router.get("/evidence")
def list_evidence(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    prompt: Annotated[Name | None, Query()] = None,
    version: NumberQuery = None,
    digest: Annotated[str | None, Query(pattern=r"^sha256:[0-9a-f]{64}$")] = None,
    suite: Annotated[Name | None, Query()] = None,
    run: Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{1,60}$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[EvidenceOut]:
    """List what finished runs showed of versions, the newest first; by `digest`, of what a version holds."""
    selection = EvidenceFilter(prompt, version, digest, suite, run)
    page = evidence_service.list_evidence(unit, selection, min(limit, unit.settings.page_limit), cursor)
    return PageOf[EvidenceOut].model_validate(page)
