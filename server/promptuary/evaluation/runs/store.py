"""Queries of evaluations: a session in, domain values out. What a run's worker writes is refused once its lease is lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import func, insert, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, select, update

from promptuary.core.database import table_of
from promptuary.evaluation.case import Case, case_from_json
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.plan import CaseResult, Plan, ResultFigures, plan_from_json, plan_to_json
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.tables import CaseRow, DatasetRow, DatasetVersionRow, ResultRow, RunRow, SuiteRow

_ROWS = 500
_NEW_RESULTS = insert(table_of(ResultRow))
_NEW_CASES = insert(table_of(CaseRow))
_FIGURES = [table_of(ResultRow).c["case_id" if name == "case" else name] for name in ResultFigures._fields]


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    """Waits for a worker."""
    RUNNING = "running"
    """A worker holds its lease, or held it and has gone away."""
    FINISHED = "finished"
    """Every item has its result, and there is a verdict."""
    FAILED = "failed"
    """It cannot be done; `error` says why."""
    CANCELLED = "cancelled"
    """Somebody stopped it; the results until then are kept."""
    STOPPED = "stopped"
    """The cost ceiling was reached; what is there is kept, and a higher ceiling goes on."""

    @property
    def over(self) -> bool:
        """Whether nothing changes any more by itself."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a dataset, without its cases."""

    id: int
    name: str
    number: int
    digest: str
    cases: int
    author: str
    created_at: datetime


@dataclass(frozen=True)
class StoredSuite:
    """A suite as it stands now."""

    name: str
    definition: dict[str, Any]
    digest: str
    updated_at: datetime


@dataclass(frozen=True)
class Run:
    """A run: what it is to do, how far it is, who holds it, how it ended.

    `fence` counts the leases; what its holder writes must carry the number that it was given. `spent` is what its calls cost
    in US dollars as far as is known, `reserved` what calls under way may cost at most, `schedule` what submitted it.
    """

    id: str
    project: int
    suite: str
    plan: Plan
    state: RunState
    verdict: str | None
    summary: Summary | None
    error: str | None
    total: int
    done: int
    actor: str
    worker: str | None
    fence: int
    lease_until: datetime | None
    tracking_id: str | None
    spent: float
    reserved: float
    schedule: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class RunOutcome:
    """How a run ends.

    Attributes:
        state: finished, stopped or failed.
        summary: of its results; its verdict is the run's. None for a run that failed.
        error: why it was stopped or failed; None for a run that finished.
    """

    state: RunState
    summary: Summary | None = None
    error: str | None = None


def get_dataset_version(session: Session, project: int, name: str, number: int | None = None) -> DatasetVersion | None:
    """Find a version of a dataset; without a number the newest."""
    query = select(DatasetRow, DatasetVersionRow).join(DatasetVersionRow, col(DatasetVersionRow.dataset_id) == DatasetRow.id)
    query = query.where(DatasetRow.project_id == project, DatasetRow.name == name)
    query = query.where(DatasetVersionRow.number == (DatasetRow.newest if number is None else number))
    found = session.exec(query).one_or_none()
    return _dataset(*found) if found else None


def list_datasets(session: Session, project: int, after: str | None, limit: int) -> list[DatasetVersion]:
    """List datasets by name, each by its newest version."""
    query = select(DatasetRow, DatasetVersionRow).join(DatasetVersionRow, col(DatasetVersionRow.dataset_id) == DatasetRow.id)
    query = query.where(DatasetRow.project_id == project, DatasetVersionRow.number == DatasetRow.newest)
    if after is not None:
        query = query.where(DatasetRow.name > after)
    return [_dataset(*found) for found in session.exec(query.order_by(DatasetRow.name).limit(limit))]


def add_dataset_version(
    session: Session, project: int, name: str, cases: CaseSpool, author: str, at: datetime
) -> DatasetVersion:
    """Add a version under the next number, which the same transaction counts up; adds the dataset where it is new."""
    query = select(DatasetRow).where(DatasetRow.project_id == project, DatasetRow.name == name)
    dataset = session.exec(query).one_or_none()
    if dataset is None:
        dataset = DatasetRow(project_id=project, name=name, created_at=at)
        session.add(dataset)
        session.flush()
    counted = update(DatasetRow).where(col(DatasetRow.id) == dataset.id).values(newest=DatasetRow.newest + 1)
    number = int(session.execute(counted.returning(col(DatasetRow.newest))).scalar_one())
    row = DatasetVersionRow(
        dataset_id=dataset.id or 0, number=number, digest=cases.digest, cases=len(cases), author=author, created_at=at
    )
    session.add(row)
    session.flush()
    rows = ({"dataset_version_id": row.id, "ordinal": place, "body": body} for place, body in enumerate(cases.bodies()))
    while page := list(islice(rows, _ROWS)):
        session.connection().execute(_NEW_CASES, page)
    return _dataset(dataset, row)


def list_cases(session: Session, version: int, first: int = 0, limit: int | None = None) -> list[Case]:
    """Give a dataset version's cases in their order, from the ordinal `first` on."""
    query = select(CaseRow.body).where(CaseRow.dataset_version_id == version, CaseRow.ordinal >= first)
    return [case_from_json(dict(body)) for body in session.exec(query.order_by(col(CaseRow.ordinal)).limit(limit))]


def list_clusters(session: Session, version: int) -> dict[str, str]:
    """Give the cluster of each case of a dataset version that has one."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string(), body["cluster"].as_string()).where(CaseRow.dataset_version_id == version)
    query = query.where(body["cluster"].as_string().is_not(None)).order_by(col(CaseRow.ordinal))
    return {str(case): str(cluster) for case, cluster in session.exec(query.execution_options(yield_per=_ROWS))}


def cases_at(session: Session, version: int, places: Sequence[int]) -> dict[int, Case]:
    """Give the cases of a dataset version at some places, by place."""
    query = select(CaseRow.ordinal, CaseRow.body).where(CaseRow.dataset_version_id == version)
    found = session.exec(query.where(col(CaseRow.ordinal).in_(places)))
    return {place: case_from_json(dict(body)) for place, body in found}


def list_memberships(session: Session, version: int) -> dict[str, str | None]:
    """Give the id of every case of a dataset version with its cluster, if it has one, in their order."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string(), body["cluster"].as_string()).where(CaseRow.dataset_version_id == version)
    return {str(case): cluster for case, cluster in session.exec(query.order_by(col(CaseRow.ordinal)))}


def get_suite(session: Session, project: int, name: str) -> StoredSuite | None:
    """Find a suite."""
    row = session.exec(select(SuiteRow).where(SuiteRow.project_id == project, SuiteRow.name == name)).one_or_none()
    return _suite(row) if row else None


def list_suites(session: Session, project: int, after: str | None, limit: int) -> list[StoredSuite]:
    """List suites by name."""
    query = select(SuiteRow).where(SuiteRow.project_id == project).order_by(SuiteRow.name).limit(limit)
    if after is not None:
        query = query.where(SuiteRow.name > after)
    return [_suite(row) for row in session.exec(query)]


def put_suite(session: Session, project: int, name: str, definition: dict[str, Any], digest: str, at: datetime) -> StoredSuite:
    """Write a suite, over the one of that name where there is one."""
    row = session.exec(select(SuiteRow).where(SuiteRow.project_id == project, SuiteRow.name == name)).one_or_none()
    if row is None:
        row = SuiteRow(project_id=project, name=name, definition=definition, digest=digest, updated_at=at)
    else:
        row.definition, row.digest, row.updated_at = definition, digest, at
    session.add(row)
    session.flush()
    return _suite(row)


def add_run(
    session: Session, run_id: str, project: int, plan: Plan, actor: str, at: datetime, schedule: str | None = None
) -> Run:
    """Add a run that waits for a worker."""
    row = RunRow(
        id=run_id,
        project_id=project,
        suite=plan.suite["name"],
        plan=plan_to_json(plan),
        state=RunState.QUEUED,
        total=plan.total,
        actor=actor,
        schedule=schedule,
        created_at=at,
    )
    session.add(row)
    session.flush()
    return _run(row)


def get_run(session: Session, run_id: str, project: int | None = None) -> Run | None:
    """Find a run; by a project's number only in it. The worker, which works for all, gives none."""
    row = session.get(RunRow, run_id)
    return _run(row) if row and project in (None, row.project_id) else None


def list_runs(
    session: Session,
    project: int,
    suite: str | None,
    state: str | None,
    before: str | None,
    limit: int,
    verdict: str | None = None,
) -> list[Run]:
    """List runs, the newest first; ids grow with time."""
    query = select(RunRow).where(RunRow.project_id == project).order_by(col(RunRow.id).desc()).limit(limit)
    if suite is not None:
        query = query.where(RunRow.suite == suite)
    if state is not None:
        query = query.where(RunRow.state == state)
    if verdict is not None:
        query = query.where(RunRow.verdict == verdict)
    if before is not None:
        query = query.where(RunRow.id < before)
    return [_run(row) for row in session.exec(query)]


def count_outcomes(session: Session) -> list[tuple[str, str | None, int]]:
    """Count every project's runs by state and verdict."""
    query = select(RunRow.state, RunRow.verdict, func.count()).group_by(col(RunRow.state), col(RunRow.verdict))
    return [(state, verdict, count) for state, verdict, count in session.exec(query)]


def lease_run(session: Session, worker: str, now: datetime, until: datetime, only: str | None = None) -> Run | None:
    """Take the oldest run that nobody holds, and count its fence up; with `only`, that one or none.

    What an earlier holder has reserved and not settled may have been asked for: it counts as spent.

    In SQLite the writing transaction holds the database; in PostgreSQL the row is locked, and locked rows are passed over.
    """
    free = or_(col(RunRow.lease_until).is_(None), col(RunRow.lease_until) <= now)
    query = select(RunRow).where(col(RunRow.state).in_([RunState.QUEUED, RunState.RUNNING]), free)
    if only is not None:
        query = query.where(RunRow.id == only)
    row = session.exec(query.order_by(col(RunRow.id)).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    row.state, row.worker, row.lease_until = RunState.RUNNING, worker, until
    row.fence += 1
    row.spent, row.reserved = row.spent + row.reserved, 0.0
    row.started_at = row.started_at or now
    session.add(row)
    session.flush()
    return _run(row)


def extend_lease(session: Session, held: Run, until: datetime) -> bool:
    """Hold a lease longer; False when it is another's by now, or the run is over."""
    return _change(session, held, lease_until=until)


def release_run(session: Session, held: Run) -> bool:
    """Give a lease back, so that the next worker goes on with the run at once."""
    return _change(session, held, state=RunState.QUEUED, lease_until=None, worker=None)


def add_results(session: Session, held: Run, results: Sequence[CaseResult], until: datetime) -> bool:
    """Write results and hold the lease longer; False, and nothing is written, when it is another's by now."""
    if not _change(session, held, done=RunRow.done + len(results), lease_until=until):
        return False
    if results:
        session.connection().execute(_NEW_RESULTS, [_values(held.id, result) for result in results])
    return True


def finish_run(session: Session, run: Run, outcome: RunOutcome, at: datetime) -> bool:
    """End a leased run; return False when another worker has the lease by now."""
    verdict, summary = (outcome.summary.verdict, outcome.summary.json_body()) if outcome.summary else (None, None)
    spent = {"spent": RunRow.spent + RunRow.reserved, "reserved": 0.0}  # reserved by a worker that has died
    values = {"state": outcome.state, "verdict": verdict, "summary": summary, "error": outcome.error, "finished_at": at}
    return _change(session, run, lease_until=None, **values, **spent)


def cancel_run(session: Session, run_id: str, at: datetime) -> bool:
    """Stop a run that is not over; its holder learns of it with its next write. False when it is over."""
    going = col(RunRow.state).in_([RunState.QUEUED, RunState.RUNNING])
    stopped = update(RunRow).where(col(RunRow.id) == run_id, going)
    stopped = stopped.values(state=RunState.CANCELLED, finished_at=at, lease_until=None)
    return session.execute(stopped.returning(col(RunRow.id))).scalar_one_or_none() is not None


def requeue_run(session: Session, run_id: str, plan: Plan, now: datetime) -> bool:
    """Let a run go on under another plan, which differs in its ceiling: one that it has stopped, or nobody works on.

    False when it is over in another way, or somebody works on it.
    """
    free = or_(col(RunRow.lease_until).is_(None), col(RunRow.lease_until) <= now)
    waiting = update(RunRow).where(col(RunRow.id) == run_id, free)
    waiting = waiting.where(col(RunRow.state).in_([RunState.STOPPED, RunState.QUEUED, RunState.RUNNING]))
    waiting = waiting.values(
        plan=plan_to_json(plan), state=RunState.QUEUED, verdict=None, summary=None, error=None, finished_at=None, worker=None
    )
    return session.execute(waiting.returning(col(RunRow.id))).scalar_one_or_none() is not None


def set_tracking_id(session: Session, run_id: str, tracking_id: str) -> None:
    """Say under which id MLflow has the run."""
    session.execute(update(RunRow).where(col(RunRow.id) == run_id).values(tracking_id=tracking_id))


def list_results(
    session: Session,
    run: str,
    after: int | None = None,
    limit: int | None = None,
    *,
    variant: str | None = None,
    passed: bool | None = None,
) -> list[CaseResult]:
    """List a run's results in the file's order: all, one variant's, those that passed or those that failed."""
    query = select(ResultRow).where(ResultRow.run_id == run).order_by(col(ResultRow.ordinal)).limit(limit)
    if after is not None:
        query = query.where(ResultRow.ordinal > after)
    if variant is not None:
        query = query.where(ResultRow.variant == variant)
    if passed is not None:
        query = query.where(col(ResultRow.passed).is_(passed))
    return [_result(row) for row in session.exec(query)]


def completed_ordinals(session: Session, run: str) -> Iterator[int]:
    """Give the places in the plan that have their result, as they are read."""
    yield from session.exec(select(ResultRow.ordinal).where(ResultRow.run_id == run).execution_options(yield_per=_ROWS))


def iterate_figures(session: Session, run: str, variant: str | None = None) -> Iterator[ResultFigures]:
    """Give what statistics need of each result, or of one variant's, in the file's order, as it is read; no output."""
    query = columns(*_FIGURES).where(col(ResultRow.run_id) == run).order_by(col(ResultRow.ordinal))
    if variant is not None:
        query = query.where(col(ResultRow.variant) == variant)
    for row in session.execute(query.execution_options(yield_per=_ROWS)):
        yield ResultFigures(*row)


def iterate_results(session: Session, run: str) -> Iterator[CaseResult]:
    """Give a run's results in the file's order, as they are read."""
    query = select(ResultRow).where(ResultRow.run_id == run).order_by(col(ResultRow.ordinal))
    for row in session.exec(query.execution_options(yield_per=_ROWS)):
        yield _result(row)


def count_errors(session: Session, run: str) -> int:
    """Count the results that are errors."""
    query = select(func.count()).select_from(ResultRow).where(ResultRow.run_id == run, col(ResultRow.error).is_not(None))
    return session.exec(query).one()


def _change(session: Session, held: Run, **values: Any) -> bool:
    """Change a run whose lease is still the given one."""
    still = update(RunRow).where(
        col(RunRow.id) == held.id, col(RunRow.fence) == held.fence, col(RunRow.state) == RunState.RUNNING
    )
    return session.execute(still.values(**values).returning(col(RunRow.id))).scalar_one_or_none() is not None


def _dataset(dataset: DatasetRow, row: DatasetVersionRow) -> DatasetVersion:
    return DatasetVersion(row.id or 0, dataset.name, row.number, row.digest, row.cases, row.author, row.created_at)


def _suite(row: SuiteRow) -> StoredSuite:
    return StoredSuite(row.name, row.definition, row.digest, row.updated_at)


def _run(row: RunRow) -> Run:
    parsed = ("project", "plan", "state", "summary")
    values = {name: getattr(row, name) for name in Run.__dataclass_fields__ if name not in parsed}
    summary = None if row.summary is None else Summary.from_json(row.summary)
    return Run(project=row.project_id, plan=plan_from_json(row.plan), state=RunState(row.state), summary=summary, **values)


def _values(run: str, result: CaseResult) -> dict[str, Any]:
    values = {**vars(result), "run_id": run, "metrics": dict(result.metrics), "detail": dict(result.detail)}
    values["case_id"] = values.pop("case")
    return values


def _result(row: ResultRow) -> CaseResult:
    values = {name: getattr(row, name) for name in CaseResult.__dataclass_fields__ if name != "case"}
    return CaseResult(case=row.case_id, **values)
