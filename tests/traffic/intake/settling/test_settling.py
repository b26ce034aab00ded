"""The end of the wait: the sample, its probabilities and its reservoirs."""

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import fmean, stdev
from typing import Any

import pytest
from sqlmodel import select

from factories.reported_calls import AT, TRIAGE, call, calls, draw_from, link, links, span
from promptuary.traffic.calls.model_call import CallStatus, LogContents, PromptMark, TrafficReading
from promptuary.traffic.intake.settling.sampling import place_call
from promptuary.traffic.intake.settling.settling import SampleSettling
from promptuary.traffic.tables import (
    FeedbackRow,
    LinkRow,
    LogContentsRow,
    ObservationRow,
    ReservoirRow,
    SeenRow,
    Stratum,
    TrafficSettingsRow,
)
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
ERROR = {"status": CallStatus.ERROR}
SHARES = {"traffic_sample": 0.2, "traffic_error_sample": 0.6, "traffic_low_sample": 0.8}


def settle(traffic: Traffic, clock: Any, **wait: float) -> None:
    clock.move(**(wait or {"minutes": 11}))
    settling = SampleSettling(traffic.database, clock, traffic.intake.settings)
    while settling.step():
        pass


def sample(traffic: Traffic) -> dict[str, tuple[str, float]]:
    """Return the sample: by span, the stratum and the probability before the reservoir."""
    return {row.span_id or "": (row.stratum, row.probability) for row in traffic.rows() if row.is_settled}


def threshold(traffic: Traffic, stratum: Stratum = Stratum.RANDOM) -> float:
    with traffic.database.read() as session:
        return session.exec(select(ReservoirRow.threshold).where(ReservoirRow.stratum == stratum.value)).one()


def rate(traffic: Traffic, observation: str, value: float, now: datetime) -> None:
    with traffic.database.write() as session:
        session.add(
            FeedbackRow(
                id=f"f-{observation}",
                project_id=traffic.project,
                observation_id=observation,
                value=value,
                at=now,
                created_at=now,
            )
        )


def test_calls_stay_below_the_probability_of_their_stratum(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(draw_from(0.19, 0.2, 0.59, 0.6, 0.79), **SHARES)
    traffic.take(calls(call(1), call(2), call(3, **ERROR), call(4, **ERROR), call(5)))
    settle(traffic, clock)
    assert sample(traffic) == {span(1): ("random", 0.2), span(3): ("error", 0.6)}
    assert len(traffic.rows()) == 2
    assert traffic.counted() == {(1, ""): 5}


def test_nothing_is_settled_before_the_wait_is_over(traffic: Traffic, clock: Any) -> None:
    traffic.take(calls(call(1)))
    settle(traffic, clock, minutes=9, seconds=59)
    assert sample(traffic) == {}
    settle(traffic, clock, seconds=1)
    assert list(sample(traffic)) == [span(1)]


def test_low_feedback_within_the_wait_keeps_a_call(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(draw_from(0.5), **SHARES)
    traffic.take(calls(call(1), call(2), call(3)))
    first, second, _ = traffic.rows()
    rate(traffic, first.id, 0.49, clock())
    rate(traffic, second.id, 0.5, clock())
    settle(traffic, clock)
    assert sample(traffic) == {span(1): ("low_feedback", 0.8)}


def test_feedback_after_the_wait_brings_nothing_back(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(draw_from(0.5), **SHARES)
    traffic.take(calls(call(1)))
    observation = traffic.rows()[0].id
    settle(traffic, clock)
    rate(traffic, observation, 0.0, clock())
    settle(traffic, clock)
    assert traffic.rows() == []


def test_a_call_without_a_prompt_leaves_after_the_wait(traffic: Traffic, clock: Any) -> None:
    traffic.take(calls(call(1, None, under=9), call(2)))
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(2)]


def test_calls_without_a_prompt_stay_where_all_are_kept(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(traffic_keep="all")
    traffic.take(calls(call(1, None), call(2, PromptMark("unknown"))))
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(1), span(2)]


def test_a_span_that_came_beside_its_call_attributes_it_at_the_end(traffic: Traffic, clock: Any) -> None:
    traffic.take(links(link(9, prompt=TRIAGE)))
    traffic.take(calls(call(1, None, under=8)))
    with traffic.database.write() as session:  # as if neither transaction had seen the other
        row = session.exec(select(ObservationRow)).one()
        row.parent_span_id = span(9)
        row.settle_at = clock()
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(1)]
    assert traffic.counted() == {(1, ""): 1}


def test_a_full_reservoir_keeps_the_smallest_numbers(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    drawn = (0.18, 0.02, 0.10, 0.06, 0.14)
    traffic = traffic_of(draw_from(*drawn), traffic_reservoir=3, **SHARES)
    traffic.take(calls(*(call(number) for number in range(5))))
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(1), span(2), span(3)]
    assert threshold(traffic) == pytest.approx(0.14 / 0.2)


def test_a_threshold_only_falls(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(draw_from(0.02, 0.10, 0.14, 0.13, 0.15, 0.04), traffic_reservoir=2, **SHARES)
    traffic.take(calls(call(1), call(2), call(3)))
    settle(traffic, clock)
    assert threshold(traffic) == pytest.approx(0.14 / 0.2)
    traffic.take(calls(call(4), call(5)))
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(1), span(2)]
    assert threshold(traffic) == pytest.approx(0.13 / 0.2)
    traffic.take(calls(call(6)))
    settle(traffic, clock)
    assert list(sample(traffic)) == [span(1), span(6)]
    assert threshold(traffic) == pytest.approx(0.10 / 0.2)


def test_versions_days_and_strata_have_reservoirs_of_their_own(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(traffic_reservoir=1)
    second, yesterday = PromptMark("support.triage", "2"), {"at": AT - timedelta(days=1)}
    traffic.take(calls(call(1), call(2, second), call(3, **yesterday), call(4, **ERROR), call(5, second, **ERROR)))
    settle(traffic, clock)
    assert len(sample(traffic)) == 5


def test_settings_that_change_during_the_wait_bias_nothing(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic = traffic_of(draw_from(0.1, 0.3), **SHARES | {"traffic_low_sample": 0.2})
    traffic.take(calls(call(1), call(2)))
    with traffic.database.write() as session:
        row = session.exec(select(TrafficSettingsRow)).one()
        row.settings = {"sample": 0.9}
    settle(traffic, clock)
    assert sample(traffic) == {span(1): ("random", 0.2)}


def test_estimates_of_totals_are_unbiased_where_reservoirs_overflow(traffic_of: Callable[..., Traffic], clock: Any) -> None:
    days, daily, size = 200, 24, 4
    source = random.Random(7)
    traffic = traffic_of(source.random, traffic_reservoir=size, **SHARES)
    for day in range(days):
        traffic.take(
            calls(
                *(
                    call(
                        day * daily + number,
                        at=AT - timedelta(days=day),
                        latency_ms=float(number),
                        **(ERROR if number % 3 == 0 else {}),
                    )
                    for number in range(daily)
                )
            )
        )
        if day % 50 == 49:  # some days are settled in two steps
            settle(traffic, clock)
    settle(traffic, clock)
    with traffic.database.read() as session:
        thresholds = {(row.day, row.stratum): row.threshold for row in session.exec(select(ReservoirRow))}
    estimates = dict.fromkeys(range(days), 0.0)
    for row in traffic.rows():
        day = (AT - row.at).days
        reservoir = (int(row.at.timestamp() // 86_400), row.stratum)
        estimates[day] += row.details["latency_ms"] / (row.probability * thresholds[reservoir])
    truth = sum(range(daily))
    error = stdev(estimates.values()) / math.sqrt(days)
    assert abs(fmean(estimates.values()) - truth) < 3.5 * error
    assert error < truth / 20
    assert any(share < 1 for share in thresholds.values())


def test_a_call_belongs_to_the_stratum_with_the_largest_probability() -> None:
    shares = {Stratum.RANDOM: 0.5, Stratum.ERROR: 0.1, Stratum.LOW_FEEDBACK: 0.5}
    assert place_call(shares, "error", has_low_feedback=False, limit=1).stratum is Stratum.RANDOM
    assert place_call(shares, "error", has_low_feedback=True, limit=1).stratum is Stratum.LOW_FEEDBACK
    assert place_call(shares, "ok", has_low_feedback=False, limit=0.3).probability == 0.3


def test_what_no_later_report_needs_is_purged(traffic: Traffic, clock: Any) -> None:
    traffic.take(
        TrafficReading(calls=[call(1)], links=[link(2, 3)], log_contents=[LogContents("f" * 32, span(4), call(1).contents)])
    )

    def waiting() -> list[int]:
        with traffic.database.read() as session:
            return [len(session.exec(select(model)).all()) for model in (SeenRow, LinkRow, LogContentsRow)]

    assert waiting() == [2, 2, 1]
    settle(traffic, clock, minutes=21)
    assert waiting() == [2, 0, 0]
    settle(traffic, clock, hours=24)
    assert waiting() == [0, 0, 0]
