"""Submitting the runs of schedules whose time has come; every worker looks, and one of them submits.

Who moves a schedule on to its next time, in the transaction that submits the run, is the one. The next time is the first one
from now on: a time that was missed is caught up once, however many went by.
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
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import Evaluations
from promptuary.scheduling import store as store
from promptuary.scheduling.cron import next_times
from promptuary.scheduling.store import Schedule

UNKNOWN_WAIT = timedelta(hours=1)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Scheduler:
    """Submits what is due."""

    database: Database
    clock: Clock
    settings: Settings

    def step(self) -> bool:
        """Submit the runs that are due; True if there was any schedule to be moved on.

        A schedule that cannot be run, as its suite or its label is gone, says so in its `error`, and is tried again at its next
        time. One whose last run is still going is left out this time, and says that.

        Raises:
            Unavailable: when the database does not answer.
        """
        with self.database.read() as session:
            due = store.due_schedules(session, self.clock())
        return any([self._move_on(schedule) for schedule in due])

    def _move_on(self, schedule: Schedule) -> bool:
        bound = log.bind(schedule=schedule.name, suite=schedule.suite)
        try:
            with self.database.write() as session:
                return self._submit(session, schedule)
        except Unavailable:
            raise
        except PromptuaryError as error:
            bound.warning("schedule gave no run", error=str(error))
            reason = str(error)
        except Exception as error:
            bound.exception("schedule gave no run")
            reason = f"{type(error).__name__}; see the worker's log"
        with self.database.write() as session:
            now = self.clock()
            claimed = store.claim_schedule(session, schedule, _next_try(schedule, now))
            if claimed:
                store.record_outcome(session, schedule, error=f"{format_timestamp(now)}: {reason}"[:1000])
        return claimed

    def _submit(self, session: Session, schedule: Schedule) -> bool:
        now = self.clock()
        if not store.claim_schedule(session, schedule, _next(schedule, now)):
            return False
        going = store.active_run(session, schedule.project, schedule.name)
        if going is not None:
            store.record_outcome(
                session, schedule, error=f"{format_timestamp(now)}: left out, for the run '{going}' is still going"
            )
            log.info("scheduled run left out", schedule=schedule.name, going=going)
            return True
        unit = UnitOfWork(session, _caller(session, schedule), freeze_clock(self.clock), self.settings)
        request = RunRequest(suite=schedule.suite, label=schedule.label, cache=False)
        run = Evaluations(unit).submit(request, schedule=schedule.name)
        store.record_outcome(session, schedule, run=run.id)
        log.info("scheduled run submitted", schedule=schedule.name, run=run.id, due=format_timestamp(schedule.next_at))
        return True


def _next(schedule: Schedule, now: datetime) -> datetime:
    return next_times(schedule.cron, schedule.zone, now)[0]


def _next_try(schedule: Schedule, now: datetime) -> datetime:
    """Give the next time, or an hour from now where that itself cannot be told: a zone that this machine does not know."""
    try:
        return _next(schedule, now)
    except Exception:
        return now + UNKNOWN_WAIT


def _caller(session: Session, schedule: Schedule) -> Caller:
    """Give the schedule itself as the one who asks, with what a pipeline may do."""
    project = access_store.get_project(session, schedule.project)
    assert project is not None
    return Caller(project.id, project.name, f"schedule:{schedule.name}", Role.CI)
