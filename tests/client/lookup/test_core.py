"""The order of the tiers and the client's timing, with a clock moved by hand and no network at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import DOWN, TRIAGE, CoreDriver, received
from client.loopback_server import lookup_body
from promptuary.client import KeyRefused, PromptNotFound, PromptUnavailable, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.lookup.cache import PendingFetch
from promptuary.client.lookup.core import DiskCopy, FetchStep, LookupPolicy, ReadDiskStep
from promptuary.client.transport.wire import TIMED_OUT, FetchFailure, FetchOutcome, NotModified, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.prompt.split import divide

PRODUCTION = Selector(TRIAGE, "production", None, None)


def asking(selector: Selector) -> PendingFetch:
    return PendingFetch(selector, selector.without_targeting_key(), None, 1000.0)


def nothing(*_: Any) -> None:
    """Keep nothing, tell nothing."""


def test_a_warm_get_asks_nobody_until_its_time_is_over() -> None:
    shell = CoreDriver()
    shell.answers = received
    shell.get()
    shell.now += 59.9
    assert shell.get().source == "memory"
    assert len(shell.asked) == 1
    shell.now += 0.1
    assert shell.get().stale
    assert shell.asked[1:] == [(PRODUCTION, '"1"')]
    assert not shell.get().stale


def test_age_is_the_time_since_the_server_last_confirmed() -> None:
    shell = CoreDriver()
    shell.answers = received
    first = shell.get()
    shell.now += 60
    shell.answers = NotModified
    shell.get()
    shell.now += 5
    assert (first.age, first.stale) == (65, True)
    assert (shell.get().age, shell.get().stale) == (5, False)


def test_a_304_that_nothing_was_held_for_is_a_failure() -> None:
    shell = CoreDriver()
    shell.answers = NotModified
    with pytest.raises(PromptUnavailable) as caught:
        shell.get()
    assert caught.value.reason == Reason.UNUSABLE


def test_the_tiers_are_gone_through_in_order() -> None:
    stored = DiskCopy(received().version, '"1"', age=90.0)
    bundle = Bundle({TRIAGE: {"labels": {"production": 2}, "versions": {"2": lookup_body(version=2)}}}, nothing)
    assert CoreDriver(bundle=bundle, stored=stored).get(fallback="x").source == "disk"
    assert CoreDriver(bundle=bundle).get(fallback="x").source == "bundle"
    assert CoreDriver().get(fallback="x").source == "fallback"
    shell = CoreDriver(stored=stored)
    assert (shell.get().age, shell.get().stale) == (90.0, True)
    assert shell.steps[:2] == [FetchStep, ReadDiskStep]


def test_what_the_server_gave_meanwhile_goes_before_the_copy_on_disk() -> None:
    shell = CoreDriver()
    slow = shell.core.lookup(TRIAGE, None, None, None, None)
    assert isinstance(slow.send(None), FetchStep)
    assert isinstance(slow.send(DOWN), ReadDiskStep)
    shell.answers = lambda: received(2)
    shell.get()
    with pytest.raises(StopIteration) as end:
        slow.send(DiskCopy(received(1).version, None, 90.0))
    assert (end.value.value.version, shell.get().version) == (2, 2)


def test_a_no_skips_the_copies() -> None:
    shell = CoreDriver(stored=DiskCopy(received().version, None, 0))
    shell.answers = lambda: ServerRefusal(PromptNotFound("there is no such prompt"))
    with pytest.raises(PromptNotFound):
        shell.get()
    assert shell.steps == [FetchStep]


def test_a_no_to_a_refresh_is_asked_again_only_after_the_ttl() -> None:
    shell = CoreDriver()
    shell.answers = received
    shell.get()
    shell.now += 60
    shell.answers = lambda: ServerRefusal(KeyRefused("the key was revoked"))
    for _ in range(3):
        assert shell.get().source == "memory"
    assert len(shell.asked) == 2
    assert len(shell.told) == 1
    shell.now += 60
    shell.get()
    assert len(shell.asked) == 3


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    shell = CoreDriver(LookupPolicy(failures=3, cool_down=10))
    for _ in range(5):
        shell.get(fallback="x")
    assert len(shell.asked) == 3
    shell.now += 10
    shell.get(fallback="x")
    shell.get(fallback="x")
    assert len(shell.asked) == 4
    shell.now += 10
    shell.answers = received
    assert shell.get(fallback="x").source == "server"


def test_a_good_answer_starts_the_count_again() -> None:
    shell = CoreDriver(LookupPolicy(failures=2))
    for answer in (DOWN, received(), DOWN, received()):
        shell.answers = lambda answer=answer: answer
        shell.get("support.triage", version=len(shell.asked) + 1, fallback="x")
    assert len(shell.asked) == 4


def test_while_a_probe_is_out_nobody_else_waits() -> None:
    core = CoreDriver(LookupPolicy(failures=1, cool_down=10)).core
    core.settle(asking(PRODUCTION), TIMED_OUT)
    assert core.refusal() is not None
    shell = CoreDriver(LookupPolicy(failures=1, cool_down=10))
    shell.get(fallback="x")
    shell.now += 10
    assert shell.core.refusal() is None
    assert shell.core.refusal() is not None


def test_a_pause_that_the_server_asks_for_is_kept_up_to_five_minutes() -> None:
    shell = CoreDriver()
    shell.answers = lambda: FetchFailure(Reason.BUSY, "the server answered 503", 7.0)
    shell.get(fallback="x")
    shell.now += 6.9
    shell.get(fallback="x")
    assert len(shell.asked) == 1
    shell.now += 0.1
    shell.answers = lambda: FetchFailure(Reason.BUSY, "the server answered 503", 1e9)
    shell.get(fallback="x")
    shell.now += 300
    shell.get(fallback="x")
    assert len(shell.asked) == 3


def test_a_request_that_is_late_counts_once_and_what_it_brings_is_kept() -> None:
    shell = CoreDriver(LookupPolicy(failures=2))
    shell.core.overdue()
    shell.core.settle(asking(PRODUCTION), TIMED_OUT, counted=True)
    assert shell.core.refusal() is None
    shell.core.settle(asking(PRODUCTION), received())
    assert shell.get().source == "memory"


def test_memory_holds_so_many_entries_and_lets_the_oldest_go() -> None:
    shell = CoreDriver(LookupPolicy(entries=3))
    shell.answers = received
    for number in range(10):
        shell.get(label=f"l{number}")
    assert shell.core.entry(PRODUCTION._replace(label="l9")) is not None
    assert shell.core.entry(PRODUCTION._replace(label="l6")) is None


def test_what_goes_wrong_is_told_once_until_the_server_answers_again() -> None:
    shell = CoreDriver(LookupPolicy(failures=100))
    for _ in range(3):
        shell.get(fallback="x")
    assert len(shell.told) == 1
    shell.answers = received
    shell.get()
    shell.answers = lambda: DOWN
    for _ in range(3):
        shell.now += 60
        shell.get()
    assert len(shell.told) == 2


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
    shell = CoreDriver(LookupPolicy(ttl=ttl))
    shell.answers = received
    shell.get()
    for outcome, seconds, key in moves:
        shell.answers = lambda outcome=outcome: outcome
        shell.now += seconds
        prompt = shell.get(targeting_key=key)
        assert prompt.source in ("memory", "server")
        assert prompt.render(ticket="x").endswith("x")
