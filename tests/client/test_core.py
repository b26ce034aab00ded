"""The order of the tiers and the client's timing, with a clock moved by hand and no network at all."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.loopback import lookup_body
from promptuary.client import KeyRefused, Prompt, PromptNotFound, PromptUnavailable, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.core import Ask, Core, Entry, Policy, ReadDisk, Refresh, Stored
from promptuary.client.version import read_version
from promptuary.client.wire import LATE, Failure, Outcome, Received, Refusal, Selector, Unchanged

TRIAGE = "support.triage"
DOWN = Failure(Reason.CONNECTION, "the server cannot be reached (ConnectError)")
PRODUCTION = Selector(TRIAGE, "production", None, None)


def received(version: int = 1, variant: str | None = None) -> Received:
    body = lookup_body(f"{version}: {{{{ticket}}}}", version=version, variant=variant)
    return Received(read_version(body, TRIAGE), f'"{version}"', b"{}")


def nothing(*_: Any) -> None:
    """Keep nothing, tell nothing."""


class Shell:
    """Drives the core as the real shells do, and answers from a script."""

    def __init__(self, policy: Policy | None = None, bundle: Bundle | None = None, stored: Stored | None = None) -> None:
        self.now = 1000.0
        self.told: list[str] = []
        self.core = Core(policy or Policy(), bundle, lambda: self.now, self.told.append)
        self.answers: Callable[[], Outcome] = lambda: DOWN
        self.asked: list[tuple[Selector, str | None]] = []
        self.stored = stored
        self.steps: list[type] = []

    def get(self, name: str = TRIAGE, *, fallback: Any = None, **which: Any) -> Prompt:
        label, version, key = which.get("label"), which.get("version"), which.get("targeting_key")
        prompt = self.core.fresh(name, label, version, key)
        if prompt is not None:
            return prompt
        steps, reply = self.core.lookup(name, label, version, key, fallback), None
        try:
            while True:
                step = steps.send(reply)
                self.steps.append(type(step))
                reply = None
                if isinstance(step, Ask):
                    reply = self.ask(step.selector, None)
                elif isinstance(step, Refresh):
                    self.ask(step.selector, step.entry)
                else:
                    assert isinstance(step, ReadDisk)
                    reply = self.stored
        except StopIteration as end:
            return end.value

    def ask(self, selector: Selector, entry: Entry | None) -> Any:
        failure = self.core.refusal()
        if failure is not None:
            return failure
        self.asked.append((selector, entry.etag if entry else None))
        return self.core.settle(selector, entry, self.answers())


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
    core.settle(PRODUCTION, None, LATE)
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
    shell.core.settle(PRODUCTION, None, LATE, counted=True)
    assert shell.core.refusal() is None
    shell.core.settle(PRODUCTION, None, received())
    assert shell.get().source == "memory"


def test_a_label_that_is_split_later_is_looked_up_for_each_key() -> None:
    shell = Shell()
    shell.answers = received
    shell.get(targeting_key="ada")
    assert shell.get(targeting_key="bob").source == "memory"
    shell.now += 60
    shell.answers = lambda: received(2, variant="b")
    shell.get(targeting_key="ada")
    assert shell.get(targeting_key="ada").variant == "b"
    assert shell.get(targeting_key="bob").source == "server"


def test_a_new_key_of_a_split_label_gets_the_last_arm_while_the_server_is_away() -> None:
    shell = Shell()
    shell.answers = lambda: received(2, variant="b")
    shell.get(targeting_key="ada")
    shell.answers = lambda: DOWN
    prompt = shell.get(targeting_key="bob")
    assert (prompt.source, prompt.variant) == ("memory", "b")


def test_a_label_that_is_split_no_longer_is_one_again() -> None:
    shell = Shell()
    shell.answers = lambda: received(2, variant="b")
    shell.get(targeting_key="ada")
    shell.now += 60
    shell.answers = lambda: received(3)
    shell.get(targeting_key="ada")
    assert shell.get(targeting_key="ada").version == shell.get(targeting_key="bob").version == 3


def test_memory_holds_so_many_entries_and_lets_the_oldest_go() -> None:
    shell = Shell(Policy(entries=3))
    shell.answers = lambda: received(2, variant="b")
    for number in range(10):
        shell.get(targeting_key=str(number))
    assert shell.core.entry(PRODUCTION._replace(targeting_key="9")) is not None
    assert shell.core.entry(PRODUCTION._replace(targeting_key="6")) is None


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
    received(3, variant="a"),
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
