"""The rules of schedules and alerts: what a schedule may be, who changes it, and who has seen an alert."""

from dataclasses import dataclass, replace

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.outbound_http import DestinationRefused, parse_destination
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.service import SuiteService
from promptuary.scheduling import store
from promptuary.scheduling.cron import next_times, redacted_webhook, schedule_errors
from promptuary.scheduling.store import Alert, AlertFilter, Schedule


@dataclass(frozen=True)
class ScheduleDefinition:
    """What somebody wants a schedule to be; see `Schedule`."""

    suite: str
    cron: str
    zone: str = "UTC"
    label: str | None = None
    margin: float = 0.0
    paused: bool = False
    webhook: str | None = None


@dataclass(frozen=True)
class ScheduleService:
    """Schedules on behalf of a caller."""

    unit: UnitOfWork

    def put(self, name: str, definition: ScheduleDefinition) -> Schedule:
        """Write a schedule, over the one of its name; a changed time or zone recomputes its next time.

        Raises:
            InvalidRequest: for a cron expression, a zone or a webhook that cannot be used.
            NotFound: when there is no such suite.
        """
        unit, now = self.unit, self.unit.clock()
        self._check(definition)
        SuiteService(unit).get(definition.suite)
        stored = store.get_schedule(unit.session, unit.caller.project, name, lock=True)
        times = (definition.cron, definition.zone, definition.paused)
        retimed = stored is None or times != (stored.cron, stored.zone, stored.paused)
        written = Schedule(
            id=stored.id if stored else 0,
            project=unit.caller.project,
            name=name,
            actor=unit.caller.identity,
            next_at=next_times(definition.cron, definition.zone, now)[0] if stored is None or retimed else stored.next_at,
            last=stored.last if stored else None,
            error=None,
            created_at=stored.created_at if stored else now,
            updated_at=now,
            actor_name=unit.caller.name,
            **vars(definition),
        )
        store.put_schedule(unit.session, written)
        detail = {**vars(definition), "webhook": redacted_webhook(definition.webhook)}
        audit.record_change(unit, "schedule.written", name, detail)
        return written

    def get(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            NotFound: when there is none.
        """
        return _existing(store.get_schedule(self.unit.session, self.unit.caller.project, name), name)

    def list_schedules(self, limit: int, cursor: str | None) -> Page[Schedule]:
        """Return a page of schedules by name."""
        rows = store.list_schedules(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda schedule: schedule.name)

    def pause(self, name: str, paused: bool) -> Schedule:
        """Stop or resume submitting runs; times that passed meanwhile are not caught up.

        Raises:
            NotFound: when there is no such schedule.
        """
        schedule, unit = self._lock(name), self.unit
        if schedule.paused == paused:
            return schedule
        now = unit.clock()
        next_at = schedule.next_at if paused else next_times(schedule.cron, schedule.zone, now)[0]
        written = replace(schedule, paused=paused, next_at=next_at, updated_at=now)
        store.put_schedule(unit.session, written)
        audit.record_change(unit, "schedule.paused" if paused else "schedule.resumed", name)
        return written

    def remove(self, name: str) -> None:
        """Delete a schedule; its runs and alerts stay.

        Raises:
            NotFound: when there is no such schedule.
        """
        store.remove_schedule(self.unit.session, self._lock(name))
        audit.record_change(self.unit, "schedule.removed", name)

    def submit(self, name: str) -> Run:
        """Submit a run of a schedule now, paused or not; its next time stays.

        Raises:
            NotFound: when there is no such schedule, or what it runs does not exist any more.
            Conflict: when a run of it is not over.
        """
        schedule, unit = self._lock(name), self.unit
        if (active := run_store.active_run(unit.session, schedule.project, name)) is not None:
            raise Conflict(f"the run '{active}' of the schedule '{name}' is not over; wait for it, or cancel it")
        request = RunRequest(suite=schedule.suite, label=schedule.label, cache=False)
        run = RunService(unit).submit(request, schedule=name)
        store.record_outcome(unit.session, schedule, run=run.id)
        return run

    def _check(self, definition: ScheduleDefinition) -> None:
        errors = schedule_errors(definition.cron, definition.zone, self.unit.clock())
        if definition.webhook is not None:
            try:
                parse_destination(definition.webhook, self.unit.settings.allowed_webhook_hosts)
            except DestinationRefused as error:
                errors.append(FieldError("webhook", error.message))
        if errors:
            raise InvalidRequest("the schedule cannot be used", errors)

    def _lock(self, name: str) -> Schedule:
        return _existing(store.get_schedule(self.unit.session, self.unit.caller.project, name, lock=True), name)


@dataclass(frozen=True)
class AlertService:
    """Alerts on behalf of a caller."""

    unit: UnitOfWork

    def list_alerts(self, limit: int, cursor: str | None, selection: AlertFilter | None = None) -> Page[Alert]:
        """Return a page of alerts, the newest first."""
        session, project, before = self.unit.session, self.unit.caller.project, decode_cursor(cursor, int)
        rows = store.list_alerts(session, project, selection or AlertFilter(), before, limit + 1)
        return build_page(rows, limit, lambda alert: alert.id)

    def mark_seen(self, number: int) -> Alert:
        """Record that the caller has seen an alert; the first one stays recorded.

        Raises:
            NotFound: when there is no such alert.
        """
        unit = self.unit
        alert = self._get(number)
        if alert.seen_at is None and store.mark_alert_seen(unit.session, number, unit.caller.identity, unit.clock()):
            audit.record_change(unit, "alert.seen", str(number), {"schedule": alert.schedule, "run": alert.run})
        return self._get(number)

    def _get(self, number: int) -> Alert:
        alert = store.get_alert(self.unit.session, number, self.unit.caller.project)
        if alert is None:
            raise NotFound(f"there is no alert {number}")
        return alert


def _existing(schedule: Schedule | None, name: str) -> Schedule:
    if schedule is None:
        raise NotFound(f"there is no schedule '{name}'")
    return schedule
