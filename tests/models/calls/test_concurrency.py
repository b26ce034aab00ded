"""The rule for the concurrency limit, against histories of all kinds, and the slots that it grants; the test moves the time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.virtual_time import let_tasks_run, run_in_virtual_time
from promptuary.models.calls.concurrency import WINDOW, AdaptiveConcurrency, ConcurrencyLimiter

events = st.lists(
    st.tuples(
        st.sampled_from(["reply", "refusal", "pause"]),
        st.floats(0, 10),  # seconds since the last event
        st.floats(0.001, 5),  # the seconds that the call took
        st.integers(1, 200),  # calls in flight
    ),
    max_size=200,
)


@given(st.integers(1, 128), events)
def test_the_limit_stays_between_one_and_the_highest(highest: int, history: list[tuple[str, float, float, int]]) -> None:
    rule, now = AdaptiveConcurrency(highest), 0.0
    for event, since, seconds, load in history:
        now += since
        if event == "reply":
            rule.succeeded("m", now - seconds, now, load)
        else:
            rule.refused(now - seconds, now, load, 1.0 if event == "pause" else None)
        assert 1 <= rule.limit <= highest
        assert 1 <= rule.allowed <= highest


@given(st.integers(1, 128), st.integers(1, 300), st.floats(0.001, 10))
def test_a_steady_provider_keeps_the_highest_limit(highest: int, replies: int, seconds: float) -> None:
    rule = AdaptiveConcurrency(highest)
    for number in range(replies):
        rule.succeeded("m", number * seconds, (number + 1) * seconds, highest)
    assert rule.allowed == highest


def test_refusals_of_one_round_trip_halve_the_limit_once() -> None:
    rule = AdaptiveConcurrency(64)
    for _ in range(64):
        rule.refused(started=0.0, now=1.0, load=64)
    assert rule.allowed == 32
    rule.refused(started=1.5, now=2.0, load=32)
    assert rule.allowed == 16


def test_the_half_is_of_the_calls_in_flight() -> None:
    rule = AdaptiveConcurrency(1024)
    rule.refused(started=0.0, now=1.0, load=10)
    assert rule.allowed == 5


def test_a_round_trip_of_replies_adds_one_call() -> None:
    rule = AdaptiveConcurrency(64)
    rule.refused(0.0, 1.0, 64)
    for _ in range(33):
        rule.succeeded("m", 2.0, 3.0, 32)
    assert rule.allowed == 33


def test_more_calls_that_are_only_slower_are_withdrawn() -> None:
    rule, now = AdaptiveConcurrency(64), 0.0
    for load, seconds in [(8, 0.1)] + [(64, 1.0)] * 40:  # eight are served at once, the others wait
        for _ in range(max(WINDOW, 64)):
            now += seconds / load
            rule.succeeded("m", now - seconds, now, load)
    assert 8 <= rule.allowed < 64


def test_more_calls_that_bring_more_replies_stay_though_slower() -> None:
    rule, now = AdaptiveConcurrency(64), 0.0
    for load, seconds in [(8, 0.1)] + [(64, 0.3)] * 40:
        for _ in range(64):
            now += seconds / load
            rule.succeeded("m", now - seconds, now, load)
    assert rule.allowed == 64


def test_a_provider_that_is_slower_under_the_same_load_keeps_its_limit() -> None:
    rule = AdaptiveConcurrency(64)
    for seconds in (0.1, 1.0):
        for _ in range(64):
            rule.succeeded("m", 0.0, seconds, 8)
    assert rule.allowed == 64


def test_models_of_one_provider_are_not_compared_with_each_other() -> None:
    rule, now = AdaptiveConcurrency(32), 0.0
    for number in range(2000):
        now += 0.01
        rule.succeeded("fast", now - 0.1, now, 8 + number % 8)
        rule.succeeded("slow", now - 20, now, 32)
    assert rule.allowed == 32


def test_a_later_pause_counts_and_a_shorter_one_shortens_nothing() -> None:
    rule = AdaptiveConcurrency(4)
    rule.refused(0.0, 10.0, 1, pause=30.0)
    assert rule.paused_until == 40.0
    rule.refused(0.0, 15.0, 1, pause=5.0)
    assert rule.paused_until == 40.0
    rule.refused(0.0, 20.0, 1, pause=60.0)
    assert rule.paused_until == 80.0


def test_latencies_are_compared_once_a_window_is_full() -> None:
    rule = AdaptiveConcurrency(64)
    for _ in range(64):
        rule.succeeded("m", 0.0, 0.1, 8)
    for _ in range(63):
        rule.succeeded("m", 0.1, 1.1, 64)
    assert rule.allowed == 64
    rule.succeeded("m", 0.1, 1.1, 64)
    assert rule.allowed < 64


def test_slots_are_granted_in_order_and_no_more_than_the_rule_allows() -> None:
    async def work() -> tuple[list[int], int]:
        limiter, order, busiest = ConcurrencyLimiter(AdaptiveConcurrency(3), lambda: 0.0), [], 0

        async def call(number: int) -> None:
            nonlocal busiest
            await limiter.acquire()
            order.append(number)
            busiest = max(busiest, limiter.in_flight)
            await asyncio.sleep(0)
            limiter.release()

        await asyncio.gather(*(call(number) for number in range(20)))
        assert limiter.in_flight == 0
        return order, busiest

    assert asyncio.run(work()) == (list(range(20)), 3)


def test_a_pause_stops_every_call_until_it_ends() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        limiter = ConcurrencyLimiter(AdaptiveConcurrency(3), loop.time)
        limiter.rule.refused(0.0, 0.0, 1, pause=1000.0)
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await let_tasks_run()
        assert (limiter.in_flight, limiter.is_open) == (0, False)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert loop.time() >= 1000.0
        assert (limiter.in_flight, limiter.is_open) == (1, True)  # the limit after the refusal is one
        limiter.release()
        await asyncio.gather(*waiting)
        limiter.release()

    run_in_virtual_time(work())


@pytest.mark.parametrize("granted", [True, False])
def test_a_cancelled_wait_takes_no_slot(granted: bool) -> None:
    async def work() -> None:
        limiter = ConcurrencyLimiter(AdaptiveConcurrency(1), lambda: 0.0)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        if granted:
            limiter.release()  # the slot is granted, and its task is cancelled before it runs
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        if not granted:
            limiter.release()
        assert limiter.in_flight == 0
        await limiter.acquire()

    asyncio.run(work())
