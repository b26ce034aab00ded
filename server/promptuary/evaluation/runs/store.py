"""Queries of runs: a session in, domain values out. A worker's write is refused once its lease is lost."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, func, insert, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, select, update

from promptuary.access.identity import shown_name
from promptuary.core.database import table_of
from promptuary.evaluation.plan import CaseResult, Plan, ResultFigures, plan_from_json, plan_to_json
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.tables import ResultRow, RunRow
from promptuary.statistics.verdict import Verdict

_BATCH = 500
_NEW_RESULTS = insert(table_of(ResultRow))
_FIGURES = [table_of(ResultRow).c["case_id" if name == "case" else name] for name in ResultFigures._fields]


class RunState(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    """It waits for a worker."""
    RUNNING = "running"
    """A worker has its lease, or had it and is gone."""
    FINISHED = "finished"
    """Every item has its result, and there is a verdict."""
    FAILED = "failed"
    """It cannot be done; `error` has the reason."""
    CANCELLED = "cancelled"
    """Somebody stopped it; the results until then are kept."""
    STOPPED = "stopped"
    """The cost limit was reached; the results are kept, and a higher limit resumes the run."""
    INTERRUPTED = "interrupted"
    """The caller who followed it stopped it; the results are kept, and nobody continues it until somebody resumes it."""

    @property
    def over(self) -> bool:
        """Whether the run does not change any more by itself."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class Run:
    """A run: its plan, its progress, its lease and its outcome.

    Attributes:
        id: unique; ids grow with time.
        project: the project's number.
        suite: the suite's name.
        plan: everything that the run does.
        state: waiting, running or how it ended.
        verdict: of a finished or stopped run.
        summary: of a finished or stopped run.
        error: why it failed or was stopped.
        total: the number of results when it is done.
        done: the number of results so far.
        actor: the name of who submitted it.
        actor_id: the identity of who submitted it.
        worker: who has, or last had, its lease.
        fence: the number of its leases; a worker's write must carry the number of its own lease.
        lease_until: when the lease ends.
        tracking_id: the id of its copy in MLflow.
        spent: the known cost of its calls in US dollars.
        reserved: the most that its calls in flight may cost.
        schedule: the name of the schedule that submitted it.
        created_at: when it was submitted.
        started_at: when a worker first leased it.
        finished_at: when it ended.
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
    actor_id: str
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


@dataclass(frozen=True)
class NewRun:
    """A run that is to be stored.

    Attributes:
        id: unique; ids grow with time.
        project: the project's number.
        plan: everything that the run does.
        actor: the identity of who submitted it.
        at: when it was submitted.
        schedule: the name of the schedule that submitted it, if any.
    """

    id: str
    project: int
    plan: Plan
    actor: str
    at: datetime
    schedule: str | None = None


@dataclass(frozen=True)
class RunFilter:
    """Which runs are listed; None leaves nothing out."""

    suite: str | None = None
    state: RunState | None = None
    verdict: Verdict | None = None


def add_run(session: Session, new: NewRun) -> Run:
    """Add a run that waits for a worker."""
    row = RunRow(
        id=new.id,
        project_id=new.project,
        suite=new.plan.suite_name,
        plan=plan_to_json(new.plan),
        state=RunState.QUEUED,
        total=new.plan.total,
        actor=new.actor,
        schedule=new.schedule,
        created_at=new.at,
    )
    session.add(row)
    session.flush()
    return _run(session, row)


def get_run(session: Session, run_id: str, project: int | None = None) -> Run | None:
    """Return a run of the project, or of any project where none is given, as for a worker; None where there is none."""
    row = session.get(RunRow, run_id)
    return _run(session, row) if row and project in (None, row.project_id) else None


def lock_run(session: Session, run_id: str, project: int) -> Run | None:
    """Return a run as it is now, and lock it until the transaction ends; None where the project has no such run."""
    query = select(RunRow).where(RunRow.id == run_id, RunRow.project_id == project)
    row = session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    return _run(session, row) if row else None


def list_runs(session: Session, project: int, selection: RunFilter, *, before: str | None, limit: int) -> list[Run]:
    """Return runs, the newest first; with `before`, only those of a smaller id."""
    query = select(RunRow).where(RunRow.project_id == project).order_by(col(RunRow.id).desc()).limit(limit)
    for name, value in vars(selection).items():
        if value is not None:
            query = query.where(getattr(RunRow, name) == value)
    if before is not None:
        query = query.where(RunRow.id < before)
    return [_run(session, row) for row in session.exec(query)]


def run_outcomes(session: Session, run_ids: Collection[str]) -> dict[str, tuple[RunState, str | None]]:
    """Return the state and the verdict of runs by their ids; an unknown run is left out."""
    query = select(RunRow.id, RunRow.state, RunRow.verdict).where(col(RunRow.id).in_(run_ids))
    return {run_id: (RunState(state), verdict) for run_id, state, verdict in session.exec(query)} if run_ids else {}


def active_run(session: Session, project: int, schedule: str) -> str | None:
    """Return the id of a schedule's run that is not over, if there is one."""
    query = select(RunRow.id).where(RunRow.project_id == project, RunRow.schedule == schedule)
    query = query.where(col(RunRow.state).in_([RunState.QUEUED, RunState.RUNNING]))
    return session.exec(query.order_by(col(RunRow.id)).limit(1)).one_or_none()


def count_outcomes(session: Session) -> list[tuple[str, str | None, int]]:
    """Return the number of runs of all projects by state and verdict."""
    query = select(RunRow.state, RunRow.verdict, func.count()).group_by(col(RunRow.state), col(RunRow.verdict))
    return [(state, verdict, count) for state, verdict, count in session.exec(query)]


def sum_spent(session: Session, since: datetime, limit: int) -> list[tuple[int, str, float]]:
    """Return what the runs that were created since a time have cost, in US dollars, by the project's number and the suite."""
    spent: Any = func.sum(RunRow.spent)
    query: Any = select(RunRow.project_id, RunRow.suite, spent).where(RunRow.created_at >= since)
    rows = session.exec(query.group_by(col(RunRow.project_id), col(RunRow.suite)).order_by(spent.desc()).limit(limit))
    return [(project, suite, float(cost)) for project, suite, cost in rows]


def lease_run(session: Session, worker: str, now: datetime, until: datetime, only: str | None = None) -> Run | None:
    """Lease the oldest run without a lease, and increment its fence; None where there is none.

    What an earlier worker reserved and did not settle may have been spent, so it counts as spent. In SQLite, the writing
    transaction locks the database; in PostgreSQL, the row is locked, and rows that others locked are skipped.

    Args:
        session: for writing.
        worker: who leases it.
        now: the present moment.
        until: when the lease ends.
        only: the id of the one run that may be leased.
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
    return _run(session, row)


def extend_lease(session: Session, run: Run, until: datetime) -> bool:
    """Extend a lease; return False when another worker has the lease by now, or the run is over."""
    return _change(session, run, lease_until=until)


def release_run(session: Session, run: Run) -> bool:
    """End a lease, so that the next worker resumes the run at once; return False when the lease is lost."""
    return _change(session, run, state=RunState.QUEUED, lease_until=None, worker=None)


def interrupt_run(session: Session, run: Run, at: datetime) -> bool:
    """End a lease, so that the run waits until somebody resumes it; return False when the lease is lost."""
    return _change(session, run, state=RunState.INTERRUPTED, finished_at=at, lease_until=None)


def add_results(session: Session, run: Run, results: Sequence[CaseResult], until: datetime) -> bool:
    """Store results and extend the lease; return False, and store nothing, when the lease is lost."""
    if not _change(session, run, done=RunRow.done + len(results), lease_until=until):
        return False
    if results:
        session.connection().execute(_NEW_RESULTS, [_values(run.id, result) for result in results])
    return True


def finish_run(session: Session, run: Run, outcome: RunOutcome, at: datetime) -> bool:
    """End a leased run; return False when another worker has the lease by now."""
    verdict, summary = (outcome.summary.verdict, outcome.summary.json_body()) if outcome.summary else (None, None)
    spent = {"spent": RunRow.spent + RunRow.reserved, "reserved": 0.0}  # reserved by a worker that has died
    values = {"state": outcome.state, "verdict": verdict, "summary": summary, "error": outcome.error, "finished_at": at}
    return _change(session, run, lease_until=None, **values, **spent)


def stated_versions(session: Session, run_id: str, variant: str) -> list[str]:
    """Return the versions of an application that its answers stated, in the order of their names."""
    version = col(ResultRow.detail)["application"]["version"].as_string()
    query = select(version).where(ResultRow.run_id == run_id, ResultRow.variant == variant, version.is_not(None))
    return sorted(str(stated) for stated in session.exec(query.distinct()))


def stop_run(session: Session, run_id: str, state: RunState, at: datetime, reason: str | None = None) -> bool:
    """Cancel or interrupt a run; its worker learns of it at its next write. Return False when the run is over.

    Args:
        session: for writing.
        run_id: of the run.
        state: cancelled or interrupted; a run that is interrupted can still be cancelled.
        at: the present moment.
        reason: stored as the run's error; None where a caller requested it.
    """
    pending = [RunState.QUEUED, RunState.RUNNING, *([RunState.INTERRUPTED] if state is RunState.CANCELLED else [])]
    change = update(RunRow).where(col(RunRow.id) == run_id, col(RunRow.state).in_(pending))
    change = change.values(state=state, error=reason, finished_at=at, lease_until=None)
    return session.execute(change.returning(col(RunRow.id))).scalar_one_or_none() is not None


def runs_with_digests(session: Session, project: int, digests: Collection[str]) -> list[Run]:
    """Return the runs of a project whose plan has a variant with one of the digests, the oldest first."""
    plan = cast(col(RunRow.plan), String)
    query = select(RunRow).where(RunRow.project_id == project, or_(*(plan.contains(digest) for digest in digests)))
    return [_run(session, row) for row in session.exec(query.order_by(RunRow.id))]


def runs_on_datasets(session: Session, project: int, versions: Collection[int]) -> dict[str, int]:
    """Return the dataset version of each of a project's runs that goes through one of some, by the run, the oldest first."""
    dataset = RunRow.plan["dataset"]["id"].as_integer()
    query = select(RunRow.id, dataset).where(RunRow.project_id == project).order_by(col(RunRow.id))
    return {run: version for run, version in session.exec(query) if version in versions}


def tracking_ids(session: Session, runs: Collection[str]) -> dict[str, str]:
    """Return the ids in MLflow of those of some runs that have a copy there, by the run, the oldest first."""
    query = select(RunRow.id, RunRow.tracking_id).where(col(RunRow.id).in_(runs)).order_by(col(RunRow.id))
    return {run: tracked for run, tracked in session.exec(query) if tracked is not None}


def requeue_run(session: Session, run_id: str, plan: Plan, now: datetime) -> bool:
    """Queue a stopped or interrupted run, or one without a lease, again under a plan with another cost limit.

    Return False when the run ended in another way, or a worker has its lease.
    """
    free = or_(col(RunRow.lease_until).is_(None), col(RunRow.lease_until) <= now)
    change = update(RunRow).where(col(RunRow.id) == run_id, free)
    resumed = [RunState.STOPPED, RunState.INTERRUPTED, RunState.QUEUED, RunState.RUNNING]
    change = change.where(col(RunRow.state).in_(resumed))
    change = change.values(
        plan=plan_to_json(plan), state=RunState.QUEUED, verdict=None, summary=None, error=None, finished_at=None, worker=None
    )
    return session.execute(change.returning(col(RunRow.id))).scalar_one_or_none() is not None


def set_tracking_id(session: Session, run_id: str, tracking_id: str) -> None:
    """Store the id of the run's copy in MLflow."""
    session.execute(update(RunRow).where(col(RunRow.id) == run_id).values(tracking_id=tracking_id))


def list_results(
    session: Session, run: str, after: int | None = None, limit: int | None = None, *, variant: str | None = None
) -> list[CaseResult]:
    """Return a run's results, or one variant's, in the file's order; with `after`, only later positions in the plan."""
    query = select(ResultRow).where(ResultRow.run_id == run).order_by(col(ResultRow.ordinal)).limit(limit)
    if after is not None:
        query = query.where(ResultRow.ordinal > after)
    if variant is not None:
        query = query.where(ResultRow.variant == variant)
    return [_result(row) for row in session.exec(query)]


def completed_ordinals(session: Session, run: str) -> Iterator[int]:
    """Yield the positions in the plan that have their result."""
    yield from session.exec(select(ResultRow.ordinal).where(ResultRow.run_id == run).execution_options(yield_per=_BATCH))


def iterate_figures(session: Session, run: str, variant: str | None = None) -> Iterator[ResultFigures]:
    """Yield the figures of each result, or of one variant's results, in the file's order; outputs are not read."""
    query = columns(*_FIGURES).where(col(ResultRow.run_id) == run).order_by(col(ResultRow.ordinal))
    if variant is not None:
        query = query.where(col(ResultRow.variant) == variant)
    for row in session.execute(query.execution_options(yield_per=_BATCH)):
        yield ResultFigures(*row)


def iterate_results(session: Session, run: str) -> Iterator[CaseResult]:
    """Yield a run's results in the file's order."""
    query = select(ResultRow).where(ResultRow.run_id == run).order_by(col(ResultRow.ordinal))
    for row in session.exec(query.execution_options(yield_per=_BATCH)):
        yield _result(row)


def count_errors(session: Session, run: str) -> int:
    """Return the number of results without an output."""
    query = select(func.count()).select_from(ResultRow).where(ResultRow.run_id == run, col(ResultRow.error).is_not(None))
    return session.exec(query).one()


def _change(session: Session, run: Run, **values: Any) -> bool:
    """Change a run under its lease; return False when the lease is lost."""
    same_lease = (col(RunRow.id) == run.id, col(RunRow.fence) == run.fence, col(RunRow.state) == RunState.RUNNING)
    change = update(RunRow).where(*same_lease).values(**values).returning(col(RunRow.id))
    return session.execute(change).scalar_one_or_none() is not None


def _run(session: Session, row: RunRow) -> Run:
    parsed = ("project", "plan", "state", "summary", "actor", "actor_id")
    values = {name: getattr(row, name) for name in Run.__dataclass_fields__ if name not in parsed}
    summary = None if row.summary is None else Summary.from_json(row.summary)
    return Run(
        project=row.project_id,
        plan=plan_from_json(row.plan),
        state=RunState(row.state),
        summary=summary,
        actor=shown_name(session, row.actor),
        actor_id=row.actor,
        **values,
    )


def _values(run: str, result: CaseResult) -> dict[str, Any]:
    values = {**vars(result), "run_id": run, "metrics": dict(result.metrics), "detail": dict(result.detail)}
    values["case_id"] = values.pop("case")
    return values


def _result(row: ResultRow) -> CaseResult:
    values = {name: getattr(row, name) for name in CaseResult.__dataclass_fields__ if name != "case"}
    return CaseResult(case=row.case_id, **values)
