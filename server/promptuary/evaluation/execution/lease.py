"""The lease of a run: only the worker with the lease may write results, and a thread of its own extends it.

Because of that thread, a scorer that keeps the processor busy does not lose the lease. Every write carries the lease's fence: a
process that has lost the lease writes nothing more.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from promptuary.access import audit
from promptuary.access.credentials import has_ended
from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import Unavailable
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunOutcome, RunState

ACTOR = "worker"
MAX_LEASES = 50
REVOKED = "the key that submitted the run was revoked, or its person has left the project"
log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """The run was cancelled, or another worker has its lease by now; it ends the execution at once."""


@dataclass(frozen=True)
class RunLeases:
    """The leases that one process takes.

    Attributes:
        database: contains the runs.
        clock: returns the current time.
        seconds: how long a lease lasts without a heartbeat.
        pause: waits for an event, or for seconds; returns whether the event is set.
    """

    database: Database
    clock: Clock
    seconds: float
    pause: Callable[[threading.Event, float], bool] = threading.Event.wait

    def acquire(self, worker: str) -> Run | None:
        """Take the lease of the oldest run that is due; None where there is none, or it ends instead.

        A run that was leased too often without an end fails. One whose submitter's key was revoked is cancelled.
        """
        with self.database.write() as session:
            run = store.lease_run(session, worker, self.clock(), self.expiry())
            if run is None or self._cancelled(session, run):
                return None
            if run.fence <= MAX_LEASES:
                return run
            reason = f"leased {MAX_LEASES} times without coming to its end; see the workers' logs"
            store.finish_run(session, run, RunOutcome(RunState.FAILED, error=reason), self.clock())
            change = audit.Change(ACTOR, "run.failed", run.id, {"error": reason}, self.clock())
            audit.append_entry(session, run.project, change)
            return None

    def _cancelled(self, session: Session, run: Run) -> bool:
        """Cancel a run in whose submitter's name nothing may be done any more; return whether it was cancelled."""
        if not has_ended(session, run.project, run.actor_id):
            return False
        if store.stop_run(session, run.id, RunState.CANCELLED, self.clock(), REVOKED):
            change = audit.Change(ACTOR, "run.cancelled", run.id, {"reason": REVOKED}, self.clock())
            audit.append_entry(session, run.project, change)
        return True

    def release(self, run: Run) -> None:
        """Release the lease, so that another worker resumes the run at once; if that fails, the lease expires."""
        try:
            with self.database.write() as session:
                store.release_run(session, run)
        except Unavailable as error:
            log.warning("lease not released", run=run.id, error=str(error))

    def interrupt(self, run: Run) -> None:
        """Release the lease of a run that nobody continues until somebody resumes it; if that fails, the lease expires."""
        try:
            with self.database.write() as session:
                if store.interrupt_run(session, run, self.clock()):
                    audit.append_entry(session, run.project, audit.Change(ACTOR, "run.interrupted", run.id, {}, self.clock()))
        except Unavailable as error:
            log.warning("run not interrupted", run=run.id, error=str(error))

    def expiry(self) -> datetime:
        """Return the time until which a lease that is taken or extended now lasts."""
        return self.clock() + timedelta(seconds=self.seconds)

    @contextmanager
    def keep(self, run: Run) -> Iterator[threading.Event]:
        """Extend the lease while the block runs; yield an event that is set when the lease is lost."""
        lost, ended = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._beat, args=(run, lost, ended), name=f"lease-{run.id}", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            ended.set()
            thread.join()

    def _beat(self, run: Run, lost: threading.Event, ended: threading.Event) -> None:
        while not self.pause(ended, self.seconds / 3):
            try:
                with self.database.write() as session:
                    if self._cancelled(session, run) or not store.extend_lease(session, run, self.expiry()):
                        lost.set()
                        return
            except Unavailable as error:
                log.warning("heartbeat failed", run=run.id, error=str(error))
