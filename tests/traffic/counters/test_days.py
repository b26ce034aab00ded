"""Counters of days are the sums of those of their hours, whatever is counted, changes away, corrected and deleted."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlmodel import Session, col, select

from promptuary.access import store as access_store
from promptuary.core.database import Database
from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.counters.counts import HOURS_A_DAY, CallCounts, CountedCall, FeedbackCounts, SeriesKey
from promptuary.traffic.counters.latency import LatencyHistogram
from promptuary.traffic.counters.store import SeriesHour, add_counts, add_feedback_counts, require_series
from promptuary.traffic.figures.dimension import EPOCH, HOUR, Dimension, TrafficPeriod
from promptuary.traffic.figures.figures import SUM_NAMES, TrafficSums
from promptuary.traffic.figures.store import TrafficQuery, list_groups
from promptuary.traffic.retention.store import delete_days
from promptuary.traffic.tables import DayRow, HourRow, SeriesRow

KEYS = (SeriesKey(None, model="a", reason="no_prompt"), SeriesKey(None, model="b", reason="no_prompt"))
HOURS = 24 * 5
eighths = some.integers(0, 800).map(lambda number: number / 8)
"""Amounts whose sums are exact in any order, so that days and hours are equal and not only close."""
counted_calls = some.builds(
    CountedCall,
    status=some.sampled_from(["ok", "error", "incomplete"]),
    latency_ms=some.none() | eighths,
    tokens=some.builds(TokenCounts, input=some.none() | some.integers(0, 9999), output=some.none() | some.integers(0, 99)),
    cost=some.none() | eighths,
    is_replayable=some.booleans(),
    redacted=some.integers(0, 3),
)
places = some.tuples(some.integers(0, len(KEYS) - 1), some.integers(0, HOURS - 1))
call_changes = some.lists(some.tuples(places, counted_calls, some.sampled_from([1, 1, 1, -1])), min_size=1, max_size=6)
feedback_changes = some.dictionaries(
    places, some.builds(FeedbackCounts, some.integers(-1, 2), eighths, some.integers(-1, 2)), min_size=1, max_size=6
)
steps = some.lists(call_changes | feedback_changes | some.integers(1, 4), min_size=1, max_size=8)


@pytest.fixture
def projects(database: Database, clock: Any) -> Iterator[Any]:
    """Make an empty project."""

    def make() -> int:
        with database.write() as session:
            return int(access_store.add_project(session, uuid4().hex, clock()).id)

    return make


def take(session: Session, project: int, step: Any) -> None:
    """Count calls or feedback, or delete the days before one."""
    ids = list(require_series(session, project, KEYS).values())
    if isinstance(step, int):
        delete_days(session, project, step, limit=100)
    elif isinstance(step, Mapping):
        add_feedback_counts(session, {SeriesHour(ids[series], hour): change for (series, hour), change in step.items()})
    else:
        counts: dict[SeriesHour, CallCounts] = {}
        for (series, hour), call, times in step:
            counts.setdefault(SeriesHour(ids[series], hour), CallCounts()).add(call, times)
        add_counts(session, counts)


def sums_by(session: Session, project: int, model: Any, hours: range) -> dict[tuple[int, int], TrafficSums]:
    """Return the sums of rows by series and day, one row after the other."""
    sums: dict[tuple[int, int], TrafficSums] = {}
    of_project = select(model).join(SeriesRow, col(SeriesRow.id) == model.series_id).where(SeriesRow.project_id == project)
    for row in session.exec(of_project):
        day = row.day if model is DayRow else row.hour // HOURS_A_DAY
        if model is DayRow or row.hour in hours:
            values = {name: getattr(row, name) for name in SUM_NAMES}
            counted = TrafficSums(**values, latencies=LatencyHistogram.parse(row.latencies))
            sums[row.series_id, day] = sums.get((row.series_id, day), TrafficSums()) + counted
    return sums


@given(changes=steps, first=some.integers(0, HOURS - 1), length=some.integers(1, HOURS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_days_have_the_sums_of_their_hours(database: Database, projects: Any, changes: Any, first: int, length: int) -> None:
    project = projects()
    for step in changes:
        with database.write() as session:
            take(session, project, step)
    with database.read() as session:
        assert sums_by(session, project, DayRow, range(HOURS)) == sums_by(session, project, HourRow, range(HOURS))
        counted = sums_by(session, project, HourRow, range(first, first + length))
        query = TrafficQuery(project, None, TrafficPeriod(first, first + length), (Dimension.DAY,))
        by_day = {group.values[Dimension.DAY]: group.sums for group in list_groups(session, query, 100)}
    expected: dict[Any, TrafficSums] = {}
    for (_, day), sums in counted.items():
        at = EPOCH + day * HOURS_A_DAY * HOUR
        expected[at] = expected.get(at, TrafficSums()) + sums
    assert by_day == {at: sums for at, sums in expected.items() if sums.calls or sums.feedback}


def test_a_part_of_a_day_is_counted_by_its_hours(database: Database, projects: Any) -> None:
    project = projects()
    with database.write() as session:
        ids = require_series(session, project, KEYS)
        call = CountedCall("ok", None, TokenCounts(), None, is_replayable=True)
        for hour in range(HOURS):
            counts = CallCounts()
            counts.add(call)
            add_counts(session, {SeriesHour(ids[KEYS[0]], hour): counts})
        for first, end in ((0, HOURS), (5, 29), (5, 53), (23, 25), (24, 48), (7, 9), (1, HOURS - 1)):
            query = TrafficQuery(project, None, TrafficPeriod(first, end), (Dimension.MODEL,))
            assert [group.sums.calls for group in list_groups(session, query, 100)] == [end - first]


def test_a_correction_of_deleted_feedback_changes_no_later_count(database: Database, projects: Any, clock: Any) -> None:
    project = projects()
    with database.write() as session:
        place = SeriesHour(require_series(session, project, KEYS)[KEYS[0]], 30)
        add_feedback_counts(session, {place: FeedbackCounts(1, 1.0, 0)})
        assert delete_days(session, project, 2, 10) == 1
        add_feedback_counts(session, {place: FeedbackCounts(-1, -1.0, 0), place._replace(hour=28): FeedbackCounts(1, 0.5, 0)})
        days = session.exec(select(DayRow).where(DayRow.series_id == place.series_id)).all()
    assert [(row.day, row.feedback, row.feedback_sum) for row in days] == [(1, 1, 0.5)]


def test_two_writers_of_the_same_days_both_count(database: Database, projects: Any) -> None:
    project = projects()
    with database.write() as session:
        ids = list(require_series(session, project, KEYS).values())

    def write(number: int) -> None:
        for hour in range(6):
            changes = {SeriesHour(series, hour + 24 * (number % 2)): FeedbackCounts(1, 0.5, 1) for series in ids}
            with database.write() as session:
                add_feedback_counts(session, changes)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with database.read() as session:
        counted = session.exec(select(DayRow).where(col(DayRow.series_id).in_(ids))).all()
    assert sum(row.feedback for row in counted) == 4 * 6 * len(ids)


def test_a_day_goes_with_its_hours(database: Database, projects: Any) -> None:
    project = projects()
    with database.write() as session:
        take(session, project, {(0, hour): FeedbackCounts(1, 1.0, 0) for hour in (0, 23, 24)})
        assert [delete_days(session, project, 1, 10), delete_days(session, project, 1, 10)] == [1, 0]
        left = session.exec(select(HourRow.hour).join(SeriesRow).where(SeriesRow.project_id == project)).all()
    assert left == [24]
