"""The rule of how many calls go at once, against histories of all kinds; time is moved by hand."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.models.calls.concurrency import WINDOW, AdaptiveConcurrency, ConcurrencyLimiter

events = st.lists(
    st.tuples(
        st.sampled_from(["answer", "refusal", "pause"]),
        st.floats(0, 10),  # since the last event
        st.floats(0.001, 5),  # the call took
        st.integers(1, 200),  # calls under way
    ),
    max_size=200,
)


@given(st.integers(1, 128), events)
def test_whatever_happens_at_least_one_and_at_most_all_may_go(most: int, history: list[tuple[str, float, float, int]]) -> None:
    rule, now = AdaptiveConcurrency(most), 0.0
    for kind, since, took, load in history:
        now += since
        if kind == "answer":
            rule.succeeded("m", now - took, now, load)
        else:
            rule.refused(now - took, now, load, 1.0 if kind == "pause" else None)
        assert 1 <= rule.limit <= most
        assert 1 <= rule.allowed <= most


@given(st.integers(1, 128), st.integers(1, 300), st.floats(0.001, 10))
def test_a_steady_provider_is_asked_by_all_hands_for_ever(most: int, answers: int, took: float) -> None:
    rule = AdaptiveConcurrency(most)
    for number in range(answers):
        rule.succeeded("m", number * took, (number + 1) * took, most)
    assert rule.allowed == most


def test_refusals_of_one_round_trip_halve_once_and_those_of_the_next_again() -> None:
    rule = AdaptiveConcurrency(64)
    for _ in range(64):
        rule.refused(started=0.0, now=1.0, load=64)
    assert rule.allowed == 32
    rule.refused(started=1.5, now=2.0, load=32)
    assert rule.allowed == 16


def test_half_is_of_what_was_under_way() -> None:
    rule = AdaptiveConcurrency(1024)
    rule.refused(started=0.0, now=1.0, load=10)
    assert rule.allowed == 5


def test_a_round_trip_of_answers_allows_one_more() -> None:
    rule = AdaptiveConcurrency(64)
    rule.refused(0.0, 1.0, 64)
    for _ in range(33):
        rule.succeeded("m", 2.0, 3.0, 32)
    assert rule.allowed == 33


def test_more_calls_that_are_only_slower_are_taken_back_but_never_below_where_it_went_well() -> None:
    rule, now = AdaptiveConcurrency(64), 0.0
    for load, took in [(8, 0.1)] + [(64, 1.0)] * 40:  # eight are served at once, the others wait
        for _ in range(max(WINDOW, 64)):
            now += took / load
            rule.succeeded("m", now - took, now, load)
    assert 8 <= rule.allowed < 64


def test_more_calls_that_bring_more_answers_stay_though_each_is_slower() -> None:
    rule, now = AdaptiveConcurrency(64), 0.0
    for load, took in [(8, 0.1)] + [(64, 0.3)] * 40:
        for _ in range(64):
            now += took / load
            rule.succeeded("m", now - took, now, load)
    assert rule.allowed == 64


def test_models_of_one_provider_are_not_compared_with_each_other() -> None:
    rule, now = AdaptiveConcurrency(32), 0.0
    for number in range(2000):
        now += 0.01
        rule.succeeded("quick", now - 0.1, now, 8 + number % 8)
        rule.succeeded("slow", now - 20, now, 32)
    assert rule.allowed == 32


def test_the_gate_lets_no_more_through_than_the_rule_and_keeps_the_order() -> None:
    async def work() -> tuple[list[int], int]:
        gate, order, busiest = ConcurrencyLimiter(AdaptiveConcurrency(3), lambda: 0.0), [], 0

        async def one(number: int) -> None:
            nonlocal busiest
            await gate.enter()
            order.append(number)
            busiest = max(busiest, gate.under_way)
            await asyncio.sleep(0)
            gate.leave()

        await asyncio.gather(*(one(number) for number in range(20)))
        assert gate.under_way == 0
        return order, busiest

    assert asyncio.run(work()) == (list(range(20)), 3)


def test_a_pause_holds_everybody_until_it_ends() -> None:
    async def work() -> None:
        now = 0.0
        gate = ConcurrencyLimiter(AdaptiveConcurrency(3), lambda: now)
        gate.congestion.refused(0.0, 0.0, 1, pause=1000.0)
        waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert gate.under_way == 0
        now = 1001.0
        gate.look()
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert gate.under_way == 1  # of the one that a refusal left
        gate.leave()
        await asyncio.gather(*waiting)
        gate.leave()

    asyncio.run(work())


@pytest.mark.parametrize("granted", [True, False])
def test_who_gives_up_in_line_takes_no_place_along(granted: bool) -> None:
    async def work() -> None:
        gate = ConcurrencyLimiter(AdaptiveConcurrency(1), lambda: 0.0)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        if granted:
            gate.leave()  # the place is given, and its task is cancelled before it runs
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        if not granted:
            gate.leave()
        assert gate.under_way == 0
        await gate.enter()

    asyncio.run(work())
