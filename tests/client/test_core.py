"""The order of the tiers and the client's timing, with a clock moved by hand and no network at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.loopback import lookup_body
from client.stage import DOWN, TRIAGE, Shell, received
from promptuary.client import KeyRefused, PromptNotFound, PromptUnavailable, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.core import Ask, Policy, ReadDisk, Stored
from promptuary.client.memory import Question
from promptuary.client.selector import Selector
from promptuary.client.wire import LATE, Failure, Outcome, Refusal, Unchanged
from promptuary.prompt.split import divide

PRODUCTION = Selector(TRIAGE, "production", None, None)


def asking(selector: Selector) -> Question:
    return Question(selector, selector.untargeted(), None, 1000.0)


def nothing(*_: Any) -> None:
    """Keep nothing, tell nothing."""


def test_a_warm_get_asks_nobody_until_its_time_is_over() -> None:
    shell = Shell()
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
    shell = Shell()
    shell.answers = received
    first = shell.get()
    shell.now += 60
    shell.answers = Unchanged
    shell.get()
    shell.now += 5
    assert (first.age, first.stale) == (65, True)
    assert (shell.get().age, shell.get().stale) == (5, False)


def test_a_304_that_nothing_was_held_for_is_a_failure() -> None:
    shell = Shell()
    shell.answers = Unchanged
    with pytest.raises(PromptUnavailable) as caught:
        shell.get()
    assert caught.value.reason == Reason.UNUSABLE


def test_the_tiers_are_gone_through_in_order() -> None:
    stored = Stored(received().version, '"1"', age=90.0)
    bundle = Bundle({TRIAGE: {"labels": {"production": 2}, "versions": {"2": lookup_body(version=2)}}}, nothing)
    assert Shell(bundle=bundle, stored=stored).get(fallback="x").source == "disk"
    assert Shell(bundle=bundle).get(fallback="x").source == "bundle"
    assert Shell().get(fallback="x").source == "fallback"
    shell = Shell(stored=stored)
    assert (shell.get().age, shell.get().stale) == (90.0, True)
    assert shell.steps[:2] == [Ask, ReadDisk]


def test_what_the_server_gave_meanwhile_goes_before_the_copy_on_disk() -> None:
    shell = Shell()
    slow = shell.core.lookup(TRIAGE, None, None, None, None)
    assert isinstance(slow.send(None), Ask)
    assert isinstance(slow.send(DOWN), ReadDisk)
    shell.answers = lambda: received(2)
    shell.get()
    with pytest.raises(StopIteration) as end:
        slow.send(Stored(received(1).version, None, 90.0))
    assert (end.value.value.version, shell.get().version) == (2, 2)


def test_a_no_skips_the_copies() -> None:
    shell = Shell(stored=Stored(received().version, None, 0))
    shell.answers = lambda: Refusal(PromptNotFound("there is no such prompt"))
    with pytest.raises(PromptNotFound):
        shell.get()
    assert shell.steps == [Ask]


def test_a_no_to_a_refresh_is_asked_again_only_after_the_ttl() -> None:
    shell = Shell()
    shell.answers = received
    shell.get()
    shell.now += 60
    shell.answers = lambda: Refusal(KeyRefused("the key was revoked"))
    for _ in range(3):
        assert shell.get().source == "memory"
    assert len(shell.asked) == 2
    assert len(shell.told) == 1
    shell.now += 60
    shell.get()
    assert len(shell.asked) == 3


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    shell = Shell(Policy(failures=3, cool_down=10))
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
    shell = Shell(Policy(failures=2))
    for answer in (DOWN, received(), DOWN, received()):
        shell.answers = lambda answer=answer: answer
        shell.get("support.triage", version=len(shell.asked) + 1, fallback="x")
    assert len(shell.asked) == 4


def test_while_a_probe_is_out_nobody_else_waits() -> None:
    core = Shell(Policy(failures=1, cool_down=10)).core
    core.settle(asking(PRODUCTION), LATE)
    assert core.refusal() is not None
    shell = Shell(Policy(failures=1, cool_down=10))
    shell.get(fallback="x")
    shell.now += 10
    assert shell.core.refusal() is None
    assert shell.core.refusal() is not None


def test_a_pause_that_the_server_asks_for_is_kept_up_to_five_minutes() -> None:
    shell = Shell()
    shell.answers = lambda: Failure(Reason.BUSY, "the server answered 503", 7.0)
    shell.get(fallback="x")
    shell.now += 6.9
    shell.get(fallback="x")
    assert len(shell.asked) == 1
    shell.now += 0.1
    shell.answers = lambda: Failure(Reason.BUSY, "the server answered 503", 1e9)
    shell.get(fallback="x")
    shell.now += 300
    shell.get(fallback="x")
    assert len(shell.asked) == 3


def test_a_request_that_is_late_counts_once_and_what_it_brings_is_kept() -> None:
    shell = Shell(Policy(failures=2))
    shell.core.overdue()
    shell.core.settle(asking(PRODUCTION), LATE, counted=True)
    assert shell.core.refusal() is None
    shell.core.settle(asking(PRODUCTION), received())
    assert shell.get().source == "memory"


def test_memory_holds_so_many_entries_and_lets_the_oldest_go() -> None:
    shell = Shell(Policy(entries=3))
    shell.answers = received
    for number in range(10):
        shell.get(label=f"l{number}")
    assert shell.core.entry(PRODUCTION._replace(label="l9")) is not None
    assert shell.core.entry(PRODUCTION._replace(label="l6")) is None


def test_what_goes_wrong_is_told_once_until_the_server_answers_again() -> None:
    shell = Shell(Policy(failures=100))
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


OUTCOMES: list[Outcome] = [
    received(1),
    received(2),
    received(3, split=divide("support.triage/production", [(3, 99.0), (4, 1.0)])),
    Unchanged(),
    DOWN,
    LATE,
    Failure(Reason.UNUSABLE, "garbage"),
    Failure(Reason.BUSY, "503", 30.0),
    Refusal(PromptNotFound("no")),
    Refusal(KeyRefused("no")),
]


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(OUTCOMES), st.sampled_from([0.0, 1.0, 61.0, 400.0]), st.sampled_from([None, "ada", "bob"])),
        max_size=30,
    ),
    ttl=st.sampled_from([0.0, 60.0]),
)
def test_a_warm_client_never_raises(moves: list[tuple[Outcome, float, str | None]], ttl: float) -> None:
    shell = Shell(Policy(ttl=ttl))
    shell.answers = received
    shell.get()
    for outcome, seconds, key in moves:
        shell.answers = lambda outcome=outcome: outcome
        shell.now += seconds
        prompt = shell.get(targeting_key=key)
        assert prompt.source in ("memory", "server")
        assert prompt.render(ticket="x").endswith("x")
