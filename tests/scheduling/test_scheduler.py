"""What is due is submitted: by one worker, once, and whatever goes wrong is said by the schedule."""

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
from promptuary.evaluation.runs.service import Evaluations
from promptuary.evaluation.runs.store import Run
from promptuary.registry.labels import Labels
from promptuary.scheduling import scheduler as scheduler_module
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.cron import next_times
from promptuary.scheduling.scheduler import Scheduler
from promptuary.scheduling.service import ScheduleDefinition, Schedules
from promptuary.scheduling.store import Schedule

Open = Callable[[], AbstractContextManager[Any]]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def scheduler(opened_database: Any, clock: Any, settings: Any) -> Scheduler:
    return Scheduler(opened_database, clock, settings)


@pytest.fixture
def hourly(create_words_suite: Callable[..., None], author: Open) -> Callable[..., Schedule]:
    """Lay the ground, and a schedule of the suite `words` at every full hour; it is noon."""

    def lay(**changes: Any) -> Schedule:
        create_words_suite("yes", "no")
        with author() as unit:
            return Schedules(unit).put("hourly", ScheduleDefinition("words", "0 * * * *", **changes))

    return lay


@pytest.fixture
def runs(author: Open) -> Callable[[], list[Run]]:
    """Give the runs that there are, the oldest first."""

    def found() -> list[Run]:
        with author() as unit:
            return list(reversed(Evaluations(unit).runs(200, None).items))

    return found


def now_of(author: Open) -> Schedule:
    with author() as unit:
        return Schedules(unit).get("hourly")


def test_a_run_is_submitted_when_its_time_has_come_and_not_before(
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
    schedule = now_of(author)
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
    assert now_of(author).next_at == datetime(2026, 3, 5, 13, tzinfo=UTC)


def test_of_two_workers_that_see_it_due_one_submits(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, opened_database: Any
) -> None:
    hourly()
    clock.move(hours=1)
    with opened_database.read() as session:
        (due,) = schedule_store.due_schedules(session, clock())

    assert scheduler._move_on(due) is True
    assert scheduler._move_on(due) is False

    assert len(runs()) == 1


def test_a_schedule_whose_run_is_still_going_is_left_out_and_says_so(
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
    assert now_of(author).error == f"2026-03-02T14:00:00.000000Z: left out, for the run '{run.id}' is still going"

    held = executor.lease("w1")
    assert held is not None
    executor.execute(held)
    clock.move(hours=1)
    scheduler.step()
    assert len(runs()) == 2
    assert now_of(author).error is None


def test_what_cannot_be_submitted_is_said_and_stops_nothing(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    hourly(label="canary")
    with author() as unit:
        Schedules(unit).put("other", ScheduleDefinition("words", "30 * * * *"))
    clock.move(hours=1)

    assert scheduler.step() is True

    assert [run.schedule for run in runs()] == ["other"]
    told = now_of(author)
    assert told.error is not None
    assert told.error.startswith("2026-03-02T13:00:00.000000Z: the prompt 'word' has no label 'canary'")
    assert told.next_at == datetime(2026, 3, 2, 14, tzinfo=UTC)

    with author() as unit:
        Labels(unit).move("word", "canary", 1, "now there is one")
    clock.move(hours=1)
    scheduler.step()
    assert now_of(author).error is None


def test_a_fault_of_ours_is_noted_without_its_words_and_an_absent_database_is_not_noted_at_all(
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

        monkeypatch.setattr(Evaluations, "submit", submit)

    hourly()
    clock.move(hours=1)
    fail(Unavailable("the database does not answer"))
    with pytest.raises(Unavailable):
        scheduler.step()
    assert now_of(author).next_at == clock()

    fail(ZeroDivisionError("a secret"))
    assert scheduler.step() is True
    assert now_of(author).error == "2026-03-02T13:00:00.000000Z: ZeroDivisionError; see the worker's log"
    assert runs() == []


def test_a_zone_that_this_machine_does_not_know_holds_up_no_other_schedule(
    scheduler: Scheduler,
    hourly: Callable[..., Schedule],
    runs: Callable[[], list[Run]],
    clock: Any,
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hourly(zone="Europe/Lisbon")
    with author() as unit:
        Schedules(unit).put("other", ScheduleDefinition("words", "30 * * * *"))
    clock.move(hours=1)

    def without_lisbon(cron: str, zone: str, after: datetime) -> list[datetime]:
        if zone == "Europe/Lisbon":
            raise ZoneInfoNotFoundError(zone)
        return next_times(cron, zone, after)

    monkeypatch.setattr(scheduler_module, "next_times", without_lisbon)
    assert scheduler.step() is True
    assert [run.schedule for run in runs()] == ["other"]
    told = now_of(author)
    assert (told.next_at, told.error) == (
        datetime(2026, 3, 2, 14, tzinfo=UTC),
        "2026-03-02T13:00:00.000000Z: ZoneInfoNotFoundError; see the worker's log",
    )


def test_workers_that_look_at_the_same_moment_submit_one_run(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any
) -> None:
    hourly()
    clock.move(hours=1)
    together = threading.Barrier(4)

    def look(_: int) -> bool:
        together.wait(30)
        return scheduler.step()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(look, range(4)))

    assert len(runs()) == 1
    assert done.count(True) == 1


def test_a_paused_schedule_is_not_due_and_what_passed_is_not_caught_up(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    hourly()
    with author() as unit:
        assert Schedules(unit).pause("hourly", True).paused is True
    clock.move(hours=5, minutes=1)
    assert scheduler.step() is False

    with author() as unit:
        assert Schedules(unit).pause("hourly", False).next_at == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert scheduler.step() is False
    assert runs() == []


def test_a_schedule_that_was_changed_since_it_was_read_is_not_run_as_it_was(
    scheduler: Scheduler, hourly: Callable[..., Schedule], runs: Callable[[], list[Run]], clock: Any, author: Open
) -> None:
    due = hourly()
    clock.move(hours=1)
    with author() as unit:
        Schedules(unit).put("hourly", ScheduleDefinition("words", "30 * * * *"))

    assert scheduler._move_on(replace(due, last=None)) is False
    assert runs() == []


def test_a_schedule_runs_in_its_own_project_only(
    scheduler: Scheduler, hourly: Callable[..., Schedule], clock: Any, unit_as: Any
) -> None:
    hourly()
    clock.move(hours=1)
    scheduler.step()
    with unit_as("author", "elsewhere") as unit:
        assert Evaluations(unit).runs(10, None).items == []
