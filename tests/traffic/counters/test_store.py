"""Series and hours in the database."""

from typing import Any

import pytest
from sqlmodel import col, select

from promptuary.access import store as access_store
from promptuary.core.database import Database
from promptuary.traffic.calls.bounds import COST_LIMIT, LATENCY_LIMIT, TOKEN_LIMIT
from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.counters.counts import CallCounts, CountedCall, SeriesKey
from promptuary.traffic.counters.latency import LatencyHistogram
from promptuary.traffic.counters.store import OTHER, VALUES_A_VERSION, SeriesHour, add_counts, require_series
from promptuary.traffic.tables import HourRow, SeriesRow

CALL = CountedCall("ok", 250.0, TokenCounts(input=100, output=20, cached=None, reasoning=5), 0.25, is_replayable=True)
NOTHING_KNOWN = CountedCall("incomplete", None, TokenCounts(), None, is_replayable=False)


@pytest.fixture
def project(database: Database, clock: Any) -> int:
    with database.write() as session:
        return int(access_store.add_project(session, "shop", clock()).id)


def series(database: Database, project: int, *keys: SeriesKey) -> dict[SeriesKey, int]:
    with database.write() as session:
        return require_series(session, project, keys)


def hours(database: Database) -> list[HourRow]:
    with database.read() as session:
        return list(session.exec(select(HourRow).order_by(col(HourRow.series_id), col(HourRow.hour))))


def counts(*calls: CountedCall, times: int = 1) -> CallCounts:
    total = CallCounts()
    for call in calls:
        total.add(call, times)
    return total


def test_a_series_keeps_its_id(database: Database, project: int) -> None:
    first, second = SeriesKey(None, model="a", reason="no_prompt"), SeriesKey(None, model="b", reason="no_prompt")
    ids = series(database, project, first)
    assert series(database, project, first, second)[first] == ids[first]
    assert len(set(series(database, project, first, second).values())) == 2


def test_a_version_is_counted_by_a_bounded_number_of_models(database: Database, project: int) -> None:
    keys = [SeriesKey(None, model=f"model-{number}") for number in range(VALUES_A_VERSION + 5)]
    ids = series(database, project, *keys)
    assert len(set(ids.values())) == VALUES_A_VERSION + 1
    assert series(database, project, SeriesKey(None, model="yet another"))[SeriesKey(None, model="yet another")] in ids.values()
    with database.read() as session:
        assert len(session.exec(select(SeriesRow).where(SeriesRow.model == OTHER)).all()) == 1


def test_calls_are_added_to_their_hour(database: Database, project: int) -> None:
    place = SeriesHour(series(database, project, SeriesKey(None))[SeriesKey(None)], 7)
    for _ in range(2):
        with database.write() as session:
            add_counts(session, {place: counts(CALL, NOTHING_KNOWN), place._replace(hour=8): counts(CALL)})
    first, second = hours(database)
    assert (first.calls, first.errors, first.incomplete, first.replayable) == (4, 0, 2, 2)
    assert (first.token_calls, first.input_tokens, first.output_tokens, first.reasoning_tokens) == (2, 200, 40, 10)
    assert (first.cost_calls, first.cost, first.latency_calls, first.latency_ms) == (2, 0.5, 2, 500.0)
    assert LatencyHistogram.parse(first.latencies) == LatencyHistogram.of([250, 250])
    assert (second.hour, second.calls) == (8, 2)


def test_a_call_that_is_taken_away_leaves_nothing(database: Database, project: int) -> None:
    place = SeriesHour(series(database, project, SeriesKey(None))[SeriesKey(None)], 7)
    for times in (1, -1):
        with database.write() as session:
            add_counts(session, {place: counts(CALL, times=times)})
    (row,) = hours(database)
    assert (row.calls, row.input_tokens, row.cost, row.latency_ms, row.latencies) == (0, 0, 0.0, 0.0, "")


@pytest.mark.parametrize("amount", [-1.0, float("inf"), float("nan")])
def test_amounts_that_cannot_be_are_unknown(amount: float) -> None:
    total = counts(CountedCall("ok", amount, TokenCounts(input=-1, output=2**40), amount, is_replayable=False))
    assert (total.latency_calls, total.cost_calls, total.input_tokens, total.output_tokens) == (0, 0, 0, 0)


def test_counters_of_the_largest_calls_hold_more_than_can_come(database: Database, project: int) -> None:
    tokens = TokenCounts(TOKEN_LIMIT, TOKEN_LIMIT, TOKEN_LIMIT, TOKEN_LIMIT)
    largest = CountedCall("ok", LATENCY_LIMIT, tokens, COST_LIMIT, is_replayable=True)
    place = SeriesHour(series(database, project, SeriesKey(None))[SeriesKey(None)], 7)
    most = 2**31 - 2
    with database.write() as session:
        add_counts(session, {place: counts(largest, times=most)})
        add_counts(session, {place: counts(largest)})
    (hour,) = hours(database)
    assert (hour.calls, hour.input_tokens, hour.reasoning_tokens) == (
        most + 1,
        (most + 1) * TOKEN_LIMIT,
        (most + 1) * TOKEN_LIMIT,
    )
    assert hour.input_tokens < 2**63
    assert hour.cost == pytest.approx((most + 1) * COST_LIMIT)
