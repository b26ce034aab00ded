"""Submitting the runs of schedules that are due; every worker checks, and one of them submits.

The transaction that submits a run first moves the schedule to its next time; only one worker succeeds in that. The next time
is the first one after now: one run catches up on all missed times, however many there were.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from promptuary.access import store as access_store
from promptuary.access.role import Role
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import Clock, format_timestamp, freeze_clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import PromptuaryError, Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.scheduling import store
from promptuary.scheduling.cron import next_times
from promptuary.scheduling.store import Schedule

UNKNOWN_ZONE_WAIT = timedelta(hours=1)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Scheduler:
    """Submits the runs that are due.

    Attributes:
        database: where schedules and runs are.
        clock: returns the current time.
        settings: of the process.
    """

    database: Database
    clock: Clock
    settings: Settings

    def step(self) -> bool:
        """Submit the runs that are due; return whether any schedule was moved to its next time.

        A schedule whose run cannot be submitted, for example without its suite or its label, gets the reason as its `error` and
        is due again at its next time. The same applies to a schedule whose last run is not over.

        Raises:
            Unavailable: when the database does not answer.
        """
        with self.database.read() as session:
            due = store.due_schedules(session, self.clock())
        return any([self._handle(schedule) for schedule in due])  # a list: every schedule is handled, also after a True

    def _handle(self, schedule: Schedule) -> bool:
        bound = log.bind(schedule=schedule.name, suite=schedule.suite)
        try:
            with self.database.write() as session:
                return self._submit(session, schedule)
        except Unavailable:
            raise
        except PromptuaryError as error:
            bound.warning("scheduled run not submitted", error=str(error))
            reason = str(error)
        except Exception as error:
            bound.exception("scheduled run not submitted")
            reason = f"{type(error).__name__}; see the worker's log"
        with self.database.write() as session:
            now = self.clock()
            claimed = store.claim_schedule(session, schedule, _retry_time(schedule, now))
            if claimed:
                store.record_outcome(session, schedule, error=f"{format_timestamp(now)}: {reason}"[:1000])
        return claimed

    def _submit(self, session: Session, schedule: Schedule) -> bool:
        now = self.clock()
        if not store.claim_schedule(session, schedule, _next_time(schedule, now)):
            return False
        active = run_store.active_run(session, schedule.project, schedule.name)
        if active is not None:
            reason = f"{format_timestamp(now)}: not submitted, since the run '{active}' is not over"
            store.record_outcome(session, schedule, error=reason)
            log.info("scheduled run left out", schedule=schedule.name, active=active)
            return True
        unit = UnitOfWork(session, _caller(session, schedule), freeze_clock(self.clock), self.settings)
        request = RunRequest(suite=schedule.suite, label=schedule.label, cache=False)
        run = RunService(unit).submit(request, schedule=schedule.name)
        store.record_outcome(session, schedule, run=run.id)
        log.info("scheduled run submitted", schedule=schedule.name, run=run.id, due=format_timestamp(schedule.next_at))
        return True


def _next_time(schedule: Schedule, now: datetime) -> datetime:
    return next_times(schedule.cron, schedule.zone, now)[0]


def _retry_time(schedule: Schedule, now: datetime) -> datetime:
    """Return the next time, or an hour from now where it cannot be computed: in a zone that this machine does not know."""
    try:
        return _next_time(schedule, now)
    except Exception:
        return now + UNKNOWN_ZONE_WAIT


def _caller(session: Session, schedule: Schedule) -> Caller:
    """Return the schedule itself as the caller, with a pipeline's role."""
    project = access_store.get_project(session, schedule.project)
    assert project is not None
    return Caller(project.id, project.name, f"schedule:{schedule.name}", Role.CI)
