"""The rules of schedules and alerts: what a schedule may be, who changes it, and what is known of an alert."""

from dataclasses import dataclass, replace

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.outbound_http import DestinationRefused, parse_destination
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import Evaluations
from promptuary.evaluation.runs.store import Run
from promptuary.scheduling import store as store
from promptuary.scheduling.cron import next_times, redacted_webhook, schedule_errors
from promptuary.scheduling.store import Alert, Schedule


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
class Schedules:
    """Schedules and alerts, on behalf of a caller."""

    unit: UnitOfWork

    def put(self, name: str, new: ScheduleDefinition) -> Schedule:
        """Write a schedule, over the one of its name; its next time is the first one from now on.

        Raises:
            InvalidRequest: for times, a zone or a webhook that cannot be used.
            NotFound: when there is no such suite.
        """
        unit, now = self.unit, self.unit.clock()
        found = schedule_errors(new.cron, new.zone, now)
        if new.webhook is not None:
            try:
                parse_destination(new.webhook, unit.settings.allowed_webhook_hosts)
            except DestinationRefused as error:
                found.append(FieldError("webhook", error.message))
        if found:
            raise InvalidRequest("the schedule cannot be used", found)
        Evaluations(unit).suite(new.suite)
        known = store.get_schedule(unit.session, unit.caller.project, name, held=True)
        moved = known is not None and (new.cron, new.zone, new.paused) != (known.cron, known.zone, known.paused)
        written = Schedule(
            id=known.id if known else 0,
            project=unit.caller.project,
            name=name,
            actor=unit.caller.actor,
            next_at=known.next_at if known and not moved else next_times(new.cron, new.zone, now)[0],
            last=known.last if known else None,
            error=None,
            created_at=known.created_at if known else now,
            updated_at=now,
            **vars(new),
        )
        store.put_schedule(unit.session, written)
        detail = {**vars(new), "webhook": redacted_webhook(new.webhook)}
        audit.record_change(unit, "schedule.written", name, detail)
        return written

    def get(self, name: str) -> Schedule:
        """Give a schedule.

        Raises:
            NotFound: when there is none.
        """
        return _found(store.get_schedule(self.unit.session, self.unit.caller.project, name), name)

    def schedules(self, limit: int, cursor: str | None) -> Page[Schedule]:
        """List schedules by name."""
        rows = store.list_schedules(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda schedule: schedule.name)

    def pause(self, name: str, paused: bool) -> Schedule:
        """Stop submitting runs, or go on; times that passed meanwhile are not caught up.

        Raises:
            NotFound: when there is no such schedule.
        """
        known, unit = self._held(name), self.unit
        if known.paused == paused:
            return known
        now = unit.clock()
        next_at = known.next_at if paused else next_times(known.cron, known.zone, now)[0]
        written = replace(known, paused=paused, next_at=next_at, updated_at=now)
        store.put_schedule(unit.session, written)
        audit.record_change(unit, "schedule.paused" if paused else "schedule.resumed", name)
        return written

    def remove(self, name: str) -> None:
        """Take a schedule away; its runs and alerts stay.

        Raises:
            NotFound: when there is no such schedule.
        """
        store.remove_schedule(self.unit.session, self._held(name))
        audit.record_change(self.unit, "schedule.removed", name)

    def submit(self, name: str) -> Run:
        """Submit a run of a schedule now, paused or not; its next time stays.

        Raises:
            NotFound: when there is no such schedule, or what it runs is gone.
            Conflict: when a run of it is still going.
        """
        found, unit = self._held(name), self.unit
        if (run := store.active_run(unit.session, found.project, name)) is not None:
            raise Conflict(f"the run '{run}' of the schedule '{name}' is still going; wait for it, or cancel it")
        submitted = Evaluations(unit).submit(RunRequest(suite=found.suite, label=found.label, cache=False), schedule=name)
        store.record_outcome(unit.session, found, run=submitted.id)
        return submitted

    def alerts(self, limit: int, cursor: str | None, schedule: str | None = None, unseen: bool | None = None) -> Page[Alert]:
        """List alerts, the newest first: all, one schedule's, those that nobody (True) or somebody (False) has seen."""
        before = decode_cursor(cursor, int)
        rows = store.list_alerts(self.unit.session, self.unit.caller.project, schedule, unseen, before, limit + 1)
        return build_page(rows, limit, lambda alert: alert.id)

    def see(self, number: int) -> Alert:
        """Say that the caller has seen an alert; who saw it first stays.

        Raises:
            NotFound: when there is no such alert.
        """
        unit = self.unit
        found = store.get_alert(unit.session, number, unit.caller.project)
        if found is None:
            raise NotFound(f"there is no alert {number}")
        if found.seen_at is not None:
            return found
        now = unit.clock()
        store.mark_alert_seen(unit.session, number, unit.caller.actor, now)
        audit.record_change(unit, "alert.seen", str(number), {"schedule": found.schedule, "run": found.run})
        return replace(found, seen_by=unit.caller.actor, seen_at=now)

    def _held(self, name: str) -> Schedule:
        return _found(store.get_schedule(self.unit.session, self.unit.caller.project, name, held=True), name)


def _found(schedule: Schedule | None, name: str) -> Schedule:
    if schedule is None:
        raise NotFound(f"there is no schedule '{name}'")
    return schedule
