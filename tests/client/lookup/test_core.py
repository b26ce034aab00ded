"""The order of the tiers and the client's timing, with a clock moved by hand and no network at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import DOWN, TRIAGE, CoreDriver, received
from client.loopback_server import lookup_body
from promptuary.client import KeyRefused, PromptNotFound, PromptUnavailable, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.lookup.core import LookupPolicy
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import DiskCopy, FetchStep, ReadDiskStep
from promptuary.client.transport.wire import TIMED_OUT, FetchFailure, FetchOutcome, NotModified, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.prompt.split import divide

PRODUCTION = Selector(TRIAGE, "production", None, None)


def asking(selector: Selector) -> PendingFetch:
    return PendingFetch(selector, selector.without_targeting_key(), None, 1000.0)


def nothing(*_: Any) -> None:
    """Ignore the arguments."""


def test_a_warm_get_asks_nobody_until_its_time_is_over() -> None:
    driver = CoreDriver()
    driver.respond = received
    driver.get()
    driver.now += 59.9
    assert driver.get().source == "memory"
    assert len(driver.requests) == 1
    driver.now += 0.1
    assert driver.get().stale
    assert driver.requests[1:] == [(PRODUCTION, '"1"')]
    assert not driver.get().stale


def test_age_is_the_time_since_the_server_last_confirmed() -> None:
    driver = CoreDriver()
    driver.respond = received
    first = driver.get()
    driver.now += 60
    driver.respond = NotModified
    driver.get()
    driver.now += 5
    assert (first.age, first.stale) == (65, True)
    assert (driver.get().age, driver.get().stale) == (5, False)


def test_a_304_that_nothing_was_held_for_is_a_failure() -> None:
    driver = CoreDriver()
    driver.respond = NotModified
    with pytest.raises(PromptUnavailable) as caught:
        driver.get()
    assert caught.value.reason == Reason.UNUSABLE


def test_the_tiers_are_gone_through_in_order() -> None:
    stored = DiskCopy(received().version, '"1"', age=90.0)
    bundle = Bundle({TRIAGE: {"labels": {"production": 2}, "versions": {"2": lookup_body(version=2)}}}, nothing)
    assert CoreDriver(bundle=bundle, disk_copy=stored).get(fallback="x").source == "disk"
    assert CoreDriver(bundle=bundle).get(fallback="x").source == "bundle"
    assert CoreDriver().get(fallback="x").source == "fallback"
    driver = CoreDriver(disk_copy=stored)
    assert (driver.get().age, driver.get().stale) == (90.0, True)
    assert driver.steps[:2] == [FetchStep, ReadDiskStep]


def test_what_the_server_gave_meanwhile_goes_before_the_copy_on_disk() -> None:
    driver = CoreDriver()
    slow = driver.core.lookup(TRIAGE, None, None, None, None)
    assert isinstance(slow.send(None), FetchStep)
    assert isinstance(slow.send(DOWN), ReadDiskStep)
    driver.respond = lambda: received(2)
    driver.get()
    with pytest.raises(StopIteration) as end:
        slow.send(DiskCopy(received(1).version, None, 90.0))
    assert (end.value.value.version, driver.get().version) == (2, 2)


def test_what_another_lookup_brought_while_the_disk_was_read_is_returned() -> None:
    driver = CoreDriver()
    slow = driver.core.lookup(TRIAGE, None, None, None, None)
    assert isinstance(slow.send(None), FetchStep)
    assert isinstance(slow.send(DOWN), ReadDiskStep)
    driver.respond = lambda: received(2)
    driver.get()
    with pytest.raises(StopIteration) as end:
        slow.send(None)  # the disk has no copy
    assert end.value.value.version == 2


def test_a_late_response_is_superseded_only_where_it_contradicts_memory() -> None:
    split = divide("support.triage/production", [(1, 50.0), (2, 50.0)])
    driver = CoreDriver()
    fetch = driver.core.pending_fetch(PRODUCTION)
    newer = driver.core.settle(fetch, received(2, revision=6))
    older = driver.core.settle(fetch, received(1, revision=5))
    assert (driver.core.is_superseded(newer), driver.core.is_superseded(older)) == (False, True)
    driver.core.settle(fetch, received(2, split, revision=8))
    same_split = driver.core.settle(fetch, received(1, split, revision=7))
    no_split = driver.core.settle(fetch, received(2, revision=7))
    assert (driver.core.is_superseded(same_split), driver.core.is_superseded(no_split)) == (False, True)


def test_a_no_skips_the_copies() -> None:
    driver = CoreDriver(disk_copy=DiskCopy(received().version, None, 0))
    driver.respond = lambda: ServerRefusal(PromptNotFound("there is no such prompt"))
    with pytest.raises(PromptNotFound):
        driver.get()
    assert driver.steps == [FetchStep]


def test_a_no_to_a_refresh_is_asked_again_only_after_the_ttl() -> None:
    driver = CoreDriver()
    driver.respond = received
    driver.get()
    driver.now += 60
    driver.respond = lambda: ServerRefusal(KeyRefused("the key was revoked"))
    for _ in range(3):
        assert driver.get().source == "memory"
    assert len(driver.requests) == 2
    assert len(driver.warnings) == 1
    driver.now += 60
    driver.get()
    assert len(driver.requests) == 3


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    driver = CoreDriver(LookupPolicy(failures=3, cool_down=10))
    for _ in range(5):
        driver.get(fallback="x")
    assert len(driver.requests) == 3
    driver.now += 10
    driver.get(fallback="x")
    driver.get(fallback="x")
    assert len(driver.requests) == 4
    driver.now += 10
    driver.respond = received
    assert driver.get(fallback="x").source == "server"


def test_a_good_answer_starts_the_count_again() -> None:
    driver = CoreDriver(LookupPolicy(failures=2))
    for answer in (DOWN, received(), DOWN, received()):
        driver.respond = lambda answer=answer: answer
        driver.get("support.triage", version=len(driver.requests) + 1, fallback="x")
    assert len(driver.requests) == 4


def test_while_a_probe_is_out_nobody_else_waits() -> None:
    core = CoreDriver(LookupPolicy(failures=1, cool_down=10)).core
    core.settle(asking(PRODUCTION), TIMED_OUT)
    assert core.refusal() is not None
    driver = CoreDriver(LookupPolicy(failures=1, cool_down=10))
    driver.get(fallback="x")
    driver.now += 10
    assert driver.core.refusal() is None
    assert driver.core.refusal() is not None


def test_a_pause_that_the_server_asks_for_is_kept_up_to_five_minutes() -> None:
    driver = CoreDriver()
    driver.respond = lambda: FetchFailure(Reason.BUSY, "the server answered 503", 7.0)
    driver.get(fallback="x")
    driver.now += 6.9
    driver.get(fallback="x")
    assert len(driver.requests) == 1
    driver.now += 0.1
    driver.respond = lambda: FetchFailure(Reason.BUSY, "the server answered 503", 1e9)
    driver.get(fallback="x")
    driver.now += 300
    driver.get(fallback="x")
    assert len(driver.requests) == 3


def test_a_request_that_is_late_counts_once_and_what_it_brings_is_kept() -> None:
    driver = CoreDriver(LookupPolicy(failures=2))
    driver.core.count_timeout()
    driver.core.settle(asking(PRODUCTION), TIMED_OUT, counted=True)
    assert driver.core.refusal() is None
    driver.core.settle(asking(PRODUCTION), received())
    assert driver.get().source == "memory"


def test_memory_holds_so_many_entries_and_lets_the_oldest_go() -> None:
    driver = CoreDriver(LookupPolicy(entries=3))
    driver.respond = received
    for number in range(10):
        driver.get(label=f"l{number}")
    assert driver.core.entry(PRODUCTION._replace(label="l9")) is not None
    assert driver.core.entry(PRODUCTION._replace(label="l6")) is None


def test_what_goes_wrong_is_told_once_until_the_server_answers_again() -> None:
    driver = CoreDriver(LookupPolicy(failures=100))
    for _ in range(3):
        driver.get(fallback="x")
    assert len(driver.warnings) == 1
    driver.respond = received
    driver.get()
    driver.respond = lambda: DOWN
    for _ in range(3):
        driver.now += 60
        driver.get()
    assert len(driver.warnings) == 2


OUTCOMES: list[FetchOutcome] = [
    received(1),
    received(2),
    received(3, split=divide("support.triage/production", [(3, 99.0), (4, 1.0)])),
    NotModified(),
    DOWN,
    TIMED_OUT,
    FetchFailure(Reason.UNUSABLE, "garbage"),
    FetchFailure(Reason.BUSY, "503", 30.0),
    ServerRefusal(PromptNotFound("no")),
    ServerRefusal(KeyRefused("no")),
]


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(OUTCOMES), st.sampled_from([0.0, 1.0, 61.0, 400.0]), st.sampled_from([None, "ada", "bob"])),
        max_size=30,
    ),
    ttl=st.sampled_from([0.0, 60.0]),
)
def test_a_warm_client_never_raises(moves: list[tuple[FetchOutcome, float, str | None]], ttl: float) -> None:
    driver = CoreDriver(LookupPolicy(ttl=ttl))
    driver.respond = received
    driver.get()
    for outcome, seconds, key in moves:
        driver.respond = lambda outcome=outcome: outcome
        driver.now += seconds
        prompt = driver.get(targeting_key=key)
        assert prompt.source in ("memory", "server")
        assert prompt.render(ticket="x").endswith("x")
