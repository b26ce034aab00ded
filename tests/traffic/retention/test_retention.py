"""What is stored long enough goes, by each project's own time, and leaves nothing in the files."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import func, select

from factories.databases import file_bytes
from factories.reported_calls import AT, call, calls
from promptuary.access import store as access_store
from promptuary.core.database import Database
from promptuary.traffic.calls.model_call import CallContents
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.intake.settling.settling import SampleSettling
from promptuary.traffic.retention.retention import TrafficRetention
from promptuary.traffic.settings.store import put_project_settings, require_project_traffic
from promptuary.traffic.tables import (
    DayRow,
    FeedbackRow,
    FeedbackWaitRow,
    HourRow,
    ObservationRow,
    OnlineScoreRow,
    ReservoirRow,
    SeriesRow,
)
from promptuary.worker.assembly import build_worker

WORDS = "Zwiebelkuchen"
MODELS = (ObservationRow, FeedbackRow, FeedbackWaitRow, OnlineScoreRow, HourRow, DayRow, SeriesRow, ReservoirRow)


@pytest.fixture
def intake(opened_database: Database, clock: Any, settings: Any, unit_as: Any) -> TrafficIntake:
    """An intake in which every call has the random number 0."""
    changed = {"traffic_keep": "all", "traffic_days": 30, "traffic_counter_days": 400}
    return TrafficIntake(opened_database, clock, settings.model_copy(update=changed), draw=lambda: 0.0)


@pytest.fixture
def project(unit_as: Any) -> int:
    """The number of the project `default`."""
    with unit_as("author") as unit:
        return int(unit.caller.project)


def fill(intake: TrafficIntake, project: int, clock: Any, numbers: range) -> None:
    """Take calls with contents, end their wait, and store feedback and a score on each."""
    contents = CallContents(output=f"{WORDS} " * 400)
    intake.take(project, calls(*(call(number, None, contents=contents) for number in numbers)))
    clock.move(minutes=11)
    settling = SampleSettling(intake.database, clock, intake.settings)
    while settling.step():
        pass
    with intake.database.write() as session:
        for row in session.exec(select(ObservationRow).where(ObservationRow.project_id == project)).all():
            common = {"project_id": project, "observation_id": row.id, "at": clock.now, "created_at": clock.now}
            session.add(FeedbackRow(id=row.id, comment=WORDS, correction=WORDS, value=1.0, **common))
            session.add(FeedbackWaitRow(project_id=project, subject=row.id, feedback_id=row.id))
            session.add(OnlineScoreRow(observation_id=row.id, metric="length", score=1.0, at=clock.now))


def purge(intake: TrafficIntake, clock: Any, batch: int = 2) -> None:
    retention = TrafficRetention(intake.database, clock, intake.settings, batch)
    while retention.step():
        pass


def counts(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {str(model.__tablename__): session.exec(select(func.count()).select_from(model)).one() for model in MODELS}


@pytest.mark.usefixtures("database")
def test_contents_go_after_days_and_counters_after_counter_days(intake: TrafficIntake, project: int, clock: Any) -> None:
    fill(intake, project, clock, range(5))
    before = counts(intake.database)
    assert (before["observation"], before["feedback"], before["online_score"], before["traffic_series"]) == (5, 5, 5, 1)
    clock.move(days=29, hours=23)
    purge(intake, clock)
    assert counts(intake.database) == before
    clock.move(hours=2)
    purge(intake, clock)
    after = dict.fromkeys(("observation", "feedback", "feedback_wait", "online_score"), 0)
    assert counts(intake.database) == before | after
    clock.move(days=369)
    purge(intake, clock)
    assert counts(intake.database) == before | after
    clock.move(days=2)
    purge(intake, clock)
    assert set(counts(intake.database).values()) == {0}


@pytest.mark.usefixtures("database")
def test_each_project_has_its_own_time(intake: TrafficIntake, project: int, clock: Any, other_project: int) -> None:
    for each in (project, other_project):
        fill(intake, each, clock, range(2))
    with intake.database.write() as session:
        require_project_traffic(session, project, intake.settings)
        put_project_settings(session, project, {"days": 3, "counter_days": 5}, [])
    clock.move(days=6)
    purge(intake, clock)
    with intake.database.read() as session:
        assert set(session.exec(select(ObservationRow.project_id))) == {other_project}
        assert set(session.exec(select(FeedbackRow.project_id))) == {other_project}
        assert set(session.exec(select(SeriesRow.project_id))) == {other_project}


@pytest.mark.usefixtures("database")
def test_a_call_of_long_ago_stays_as_long_as_others(intake: TrafficIntake, project: int, clock: Any) -> None:
    clock.move(days=20)
    fill(intake, project, clock, range(1))
    clock.move(days=20)
    purge(intake, clock)
    assert counts(intake.database)["observation"] == 1
    assert clock.now - AT > timedelta(days=30)


@pytest.mark.usefixtures("database")
def test_a_series_that_counts_again_stays(intake: TrafficIntake, project: int, clock: Any) -> None:
    fill(intake, project, clock, range(1))
    clock.move(days=401)
    intake.take(project, calls(call(9, None, at=clock.now)))
    purge(intake, clock)
    after = counts(intake.database)
    assert [after[name] for name in ("traffic_series", "traffic_hour", "traffic_day", "observation")] == [1, 1, 1, 1]


@pytest.mark.usefixtures("database")
def test_the_worker_deletes_them_once_an_hour(intake: TrafficIntake, project: int, clock: Any) -> None:
    fill(intake, project, clock, range(1))
    with build_worker(intake.settings, database=intake.database, clock=clock) as worker:
        worker.tick()
        clock.move(days=31)
        worker.tick()
        assert counts(intake.database)["observation"] == 0


def test_the_files_of_sqlite_keep_nothing_of_it(intake: TrafficIntake, project: int, clock: Any, sqlite: Database) -> None:
    fill(intake, project, clock, range(40))
    assert any(row.contents for row in rows(sqlite))
    marks = [row.contents[20:60] for row in rows(sqlite) if row.contents]
    assert all(mark in file_bytes(sqlite) for mark in marks)
    assert WORDS.encode() in file_bytes(sqlite)
    clock.move(days=31)
    retention = TrafficRetention(sqlite, clock, intake.settings)
    for _ in range(2):
        while retention.step():
            pass
        clock.move(hours=1)
    assert WORDS.encode() not in file_bytes(sqlite)
    assert not any(mark in file_bytes(sqlite) for mark in marks)


def test_calls_outside_of_the_sample_leave_nothing(
    intake: TrafficIntake, project: int, clock: Any, settings: Any, sqlite: Database
) -> None:
    changed = settings.model_copy(update={"traffic_keep": "all"})
    outside = TrafficIntake(sqlite, clock, changed, draw=lambda: 0.9)
    contents = [CallContents(output=f"{WORDS} {number} " * 900) for number in range(20)]
    outside.take(project, calls(*(call(number, None, contents=each) for number, each in enumerate(contents))))
    marks = [row.contents[-60:-20] for row in rows(sqlite) if row.contents]
    assert len(marks) == 20
    clock.move(minutes=11)
    settling = SampleSettling(sqlite, clock, changed)
    while settling.step():
        pass
    retention = TrafficRetention(sqlite, clock, changed)
    retention.step()
    clock.move(hours=1)
    retention.step()
    assert rows(sqlite) == []
    assert not any(mark in file_bytes(sqlite) for mark in marks)


def rows(database: Database) -> list[ObservationRow]:
    with database.read() as session:
        return list(session.exec(select(ObservationRow)))


@pytest.fixture
def other_project(opened_database: Database, clock: Any) -> int:
    """A project beside the first."""
    with opened_database.write() as session:
        return int(access_store.add_project(session, "other", clock()).id)
