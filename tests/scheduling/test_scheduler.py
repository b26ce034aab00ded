"""A due schedule is run by one worker, once, and its error reports whatever goes wrong."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from promptuary.access import audit
from promptuary.core.errors import Unavailable
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.registry.labels import Labels
from promptuary.scheduling import scheduler as scheduler_module
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.cron import next_times
from promptuary.scheduling.scheduler import Scheduler
from promptuary.scheduling.service import ScheduleDefinition, ScheduleService
from promptuary.scheduling.store import Schedule

Open = Callable[[], AbstractContextManager[Any]]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def scheduler(opened_database: Any, clock: Any, settings: Any) -> Scheduler:
    return Scheduler(opened_database, clock, settings)


@pytest.fixture
def hourly(create_words_suite: Callable[..., None], author: Open) -> Callable[..., Schedule]:
    """Creates the suite `words` and a schedule of it at every full hour; it is noon."""

    def create_schedule(**changes: Any) -> Schedule:
        create_words_suite("yes", "no")
        with author() as unit:
            return ScheduleService(unit).put("hourly", ScheduleDefinition("words", "0 * * * *", **changes))

    return create_schedule


@pytest.fixture
def runs(author: Open) -> Callable[[], list[Run]]:
    """The stored runs, the oldest first."""

    def list_runs() -> list[Run]:
        with author() as unit:
            return list(reversed(RunService(unit).list_runs(200, None).items))

    return list_runs


def stored_schedule(author: Open) -> Schedule:
    with author() as unit:
        return ScheduleService(unit).get("hourly")


def test_a_run_is_submitted_when_it_is_due_and_not_before(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    assert hourly().next_at == datetime(2026, 3, 2, 13, tzinfo=UTC)
    clock.move(minutes=59, seconds=59)
    assert scheduler.step() is False
    assert runs() == []

    clock.move(seconds=1)
    assert scheduler.step() is True
    assert scheduler.step() is False

    (run,) = runs()
    assert (run.suite, run.schedule, run.actor, run.plan.cache) == ("words", "hourly", "schedule:hourly", False)
    schedule = stored_schedule(author)
    assert schedule.next_at == datetime(2026, 3, 2, 14, tzinfo=UTC)
    assert schedule.last is not None
    assert (schedule.last.id, schedule.last.state, schedule.error) == (run.id, "queued", None)
    with author() as unit:
        entries = audit.list_entries(unit, 200, None).items
        assert [entry.actor for entry in entries if entry.action == "run.submitted"] == ["schedule:hourly"]


def test_times_that_were_missed_are_caught_up_once(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    hourly()
    clock.move(days=3, minutes=20)

    assert scheduler.step() is True
    assert scheduler.step() is False

    assert len(runs()) == 1
    assert stored_schedule(author).next_at == datetime(2026, 3, 5, 13, tzinfo=UTC)


def test_one_of_two_workers_submits_a_due_schedule(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, opened_database: Any
) -> None:
    hourly()
    clock.move(hours=1)
    with opened_database.read() as session:
        (due,) = schedule_store.due_schedules(session, clock())

    assert scheduler._handle(due) is True
    assert scheduler._handle(due) is False

    assert len(runs()) == 1


def test_a_schedule_whose_run_is_not_over_is_left_out_with_a_reason(
    scheduler: Scheduler,
    hourly: Callable[..., Schedule],
    runs: Callable[[], list[Run]],
    clock: Any,
    author: Open,
    executor: RunExecutor,
) -> None:
    hourly()
    clock.move(hours=1)
    scheduler.step()
    (run,) = runs()
    clock.move(hours=1)

    assert scheduler.step() is True
    assert len(runs()) == 1
    assert stored_schedule(author).error == f"2026-03-02T14:00:00.000000Z: not submitted, since the run '{run.id}' is not over"

    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)
    clock.move(hours=1)
    scheduler.step()
    assert len(runs()) == 2
    assert stored_schedule(author).error is None


def test_a_run_that_cannot_be_submitted_stops_no_other_schedule(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    hourly(label="canary")
    with author() as unit:
        ScheduleService(unit).put("other", ScheduleDefinition("words", "30 * * * *"))
    clock.move(hours=1)

    assert scheduler.step() is True

    assert [run.schedule for run in runs()] == ["other"]
    schedule = stored_schedule(author)
    assert schedule.error is not None
    assert schedule.error.startswith("2026-03-02T13:00:00.000000Z: the prompt 'word' has no label 'canary'")
    assert schedule.next_at == datetime(2026, 3, 2, 14, tzinfo=UTC)

    with author() as unit:
        Labels(unit).move("word", "canary", 1, "now there is one")
    clock.move(hours=1)
    scheduler.step()
    assert stored_schedule(author).error is None


def test_an_internal_error_is_stored_without_its_text(
    scheduler: Scheduler,
    hourly: Callable[..., Schedule],
    runs: Callable[[], list[Run]],
    clock: Any,
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(error: Exception) -> None:
        def submit(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(RunService, "submit", submit)

    hourly()
    clock.move(hours=1)
    fail(Unavailable("the database does not answer"))
    with pytest.raises(Unavailable):
        scheduler.step()
    assert stored_schedule(author).next_at == clock()

    fail(ZeroDivisionError("a secret"))
    assert scheduler.step() is True
    assert stored_schedule(author).error == "2026-03-02T13:00:00.000000Z: ZeroDivisionError; see the worker's log"
    assert runs() == []


def test_an_unknown_zone_delays_no_other_schedule(
    scheduler: Scheduler,
    hourly: Callable[..., Schedule],
    runs: Callable[[], list[Run]],
    clock: Any,
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hourly(zone="Europe/Lisbon")
    with author() as unit:
        ScheduleService(unit).put("other", ScheduleDefinition("words", "30 * * * *"))
    clock.move(hours=1)

    def without_lisbon(cron: str, zone: str, after: datetime) -> list[datetime]:
        if zone == "Europe/Lisbon":
            raise ZoneInfoNotFoundError(zone)
        return next_times(cron, zone, after)

    monkeypatch.setattr(scheduler_module, "next_times", without_lisbon)
    assert scheduler.step() is True
    assert [run.schedule for run in runs()] == ["other"]
    schedule = stored_schedule(author)
    assert (schedule.next_at, schedule.error) == (
        datetime(2026, 3, 2, 14, tzinfo=UTC),
        "2026-03-02T13:00:00.000000Z: ZoneInfoNotFoundError; see the worker's log",
    )


def test_workers_that_step_at_the_same_time_submit_one_run(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any
) -> None:
    hourly()
    clock.move(hours=1)
    barrier = threading.Barrier(4)

    def step(_: int) -> bool:
        barrier.wait(30)
        return scheduler.step()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(step, range(4)))

    assert len(runs()) == 1
    assert done.count(True) == 1


def test_a_paused_schedule_is_not_due_and_catches_nothing_up(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    hourly()
    with author() as unit:
        assert ScheduleService(unit).pause("hourly", True).paused is True
    clock.move(hours=5, minutes=1)
    assert scheduler.step() is False

    with author() as unit:
        assert ScheduleService(unit).pause("hourly", False).next_at == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert scheduler.step() is False
    assert runs() == []


def test_a_schedule_that_changed_since_it_was_read_is_not_run(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    due = hourly()
    clock.move(hours=1)
    with author() as unit:
        ScheduleService(unit).put("hourly", ScheduleDefinition("words", "30 * * * *"))

    assert scheduler._handle(replace(due, last=None)) is False
    assert runs() == []


def test_a_suite_that_changed_since_the_schedule_was_read_is_not_run(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    due = hourly()
    clock.move(hours=1)
    with author() as unit:
        ScheduleService(unit).put("hourly", ScheduleDefinition("words", "0 * * * *", label="canary"))

    assert scheduler._handle(due) is False
    assert runs() == []


def test_a_schedule_runs_in_its_own_project_only(
    scheduler: Scheduler, hourly: Callable[..., Schedule], clock: Any, unit_as: Any
) -> None:
    hourly()
    clock.move(hours=1)
    scheduler.step()
    with unit_as("author", "elsewhere") as unit:
        assert RunService(unit).list_runs(10, None).items == []
