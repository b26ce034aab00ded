"""Several intakes on one database at once, as several servers have them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from factories.reported_calls import TRIAGE, call, calls, link, links
from promptuary.core.errors import DatabaseBusy
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.intake.settling.settling import SampleSettling
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
THREADS, BATCHES, CALLS = 4, 10, 8


def run_at_once(acts: Sequence[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def send(traffic: Traffic, readings: Sequence[TrafficReading]) -> None:
    """Send requests as an exporter does: again, where the database is busy."""
    for reading in readings:
        while True:
            try:
                traffic.take(reading)
                break
            except DatabaseBusy:
                continue


def test_one_call_that_several_servers_get_is_counted_once(traffic: Traffic) -> None:
    readings = [calls(*(call(batch * CALLS + number) for number in range(CALLS))) for batch in range(BATCHES)]
    backwards = [replace(reading, calls=reading.calls[::-1]) for reading in reversed(readings)]
    orders = [readings, backwards] * (THREADS // 2)
    run_at_once([lambda order=order: send(traffic, order) for order in orders])  # type: ignore[misc]  # bound now
    assert traffic.counted() == {(1, ""): BATCHES * CALLS}
    assert len({row.key for row in traffic.rows()}) == len(traffic.rows()) == BATCHES * CALLS


def test_counts_of_several_servers_are_added_up(traffic: Traffic) -> None:
    orders = [
        [calls(*(call(thread * 1000 + batch * CALLS + number) for number in range(CALLS))) for batch in range(BATCHES)]
        for thread in range(THREADS)
    ]
    run_at_once([lambda order=order: send(traffic, order) for order in orders])  # type: ignore[misc]  # bound now
    ((_, hour),) = traffic.hours()
    assert hour.calls == hour.latency_calls == THREADS * BATCHES * CALLS
    assert sum(map(int, hour.latencies.strip("{}").split(":")[1:])) == THREADS * BATCHES * CALLS


def test_a_call_and_the_span_around_it_may_come_at_once(traffic: Traffic, clock: Any) -> None:
    reported = [calls(call(number * 2 + 1, None, under=number * 2)) for number in range(BATCHES)]
    around = [links(link(number * 2, prompt=TRIAGE)) for number in range(BATCHES)]
    run_at_once([lambda: send(traffic, reported), lambda: send(traffic, around)])
    clock.move(minutes=11)
    while SampleSettling(traffic.database, clock, traffic.intake.settings).step():
        pass
    assert traffic.counted() == {(1, ""): BATCHES}
    assert all(row.is_settled for row in traffic.rows())
    assert len(traffic.rows()) == BATCHES
