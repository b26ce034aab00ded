"""What a stream of changes does to a client's memory, and when the stream is requested again; without any I/O."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import ALIVE, TRIAGE, CoreDriver, FakeRegistry, ready, received, sse
from promptuary.client import PromptNotFound
from promptuary.client.lookup.core import LookupPolicy
from promptuary.client.lookup.steps import FetchStep, Refetch, RefreshStep
from promptuary.client.stream.change_stream import SETTLING_SECONDS, ChangeStream, PromptChange, StreamAttempt
from promptuary.client.transport.wire import STREAM_SILENCE_SECONDS, ServerRefusal, StreamEnd
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import UnusableResponse

PRODUCTION = Selector(TRIAGE, "production", None, None)
CUT = StreamEnd("cut off")


def ignore(_: PromptChange) -> None:
    """Apply no change."""


def following(registry: FakeRegistry | None = None, **policy: Any) -> CoreDriver:
    """Return a client whose stream began long enough ago to confirm the present lookups."""
    driver = CoreDriver(LookupPolicy(**policy), registry=registry or FakeRegistry(), follow=True)
    assert driver.registry is not None
    driver.receive(*driver.registry.stream(driver.connect()))
    driver.now += SETTLING_SECONDS
    return driver


def pass_time(driver: CoreDriver, seconds: float) -> None:
    """Advance the time while the stream is alive."""
    for _ in range(int(seconds / 15)):
        driver.now += 15
        assert driver.receive(ALIVE) == []


def test_while_the_stream_lives_nothing_is_asked_for_again() -> None:
    driver = following()
    first = driver.get()
    driver.get(version=1)
    for _ in range(10):
        pass_time(driver, 600)
        prompt = driver.get()
        assert (prompt.source, prompt.stale, driver.get(version=1).stale) == ("memory", False, False)
        assert prompt.age is not None
        assert prompt.age < 15
    assert len(driver.requests) == 2
    assert not first.stale


def test_an_event_has_the_prompts_labels_confirmed_at_once_and_nothing_else() -> None:
    registry = FakeRegistry()
    registry.label_moved("staging", 2)
    driver = following(registry)
    driver.get()
    driver.get(label="staging")
    driver.get(version=1)
    pass_time(driver, 600)
    registry.label_moved("production", 3)
    assert driver.receive(sse("label.moved", 99, prompt="support.other", label="production")) == []
    assert set(driver.receive(registry.events[-1][1])) == {PRODUCTION, PRODUCTION._replace(label="staging")}
    assert (driver.get().version, driver.get(label="staging").version, driver.get(version=1).version) == (3, 2, 1)
    assert len(driver.requests) == 5
    assert driver.requests[-1][1] is not None  # with its ETag


@pytest.mark.parametrize("kind", ["version.created", "label.moved", "prompt.archived", "prompt.restored", "prompt.renamed"])
def test_every_kind_of_event_counts_also_one_that_is_not_known_yet(kind: str) -> None:
    driver = following()
    driver.get()
    assert driver.receive(sse(kind, 2, prompt=TRIAGE)) == [PRODUCTION]
    assert driver.receive(sse("project.moved", 3)) == []


def test_a_cached_version_is_served_until_the_new_one_is_there() -> None:
    driver = following()
    cached = driver.get()
    (selector,) = driver.core.on_stream_chunk(driver.attempt, sse("label.moved", 2, prompt=TRIAGE, label="production"))
    confirmation = driver.core.confirmation(selector)
    assert confirmation is not None
    assert driver.core.fresh_prompt(TRIAGE, None, None, None) is None
    step = driver.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, RefreshStep)
    assert step.fetch.key == confirmation.key  # the same request serves both
    assert driver.registry is not None
    driver.registry.label_moved("production", 2)
    assert (driver.get().version, cached.version) == (1, 1)
    driver.fetch(confirmation)
    assert driver.get().version == 2


def test_a_prompt_that_was_given_out_grows_old_from_the_event_on() -> None:
    driver = following()
    prompt = driver.get()
    pass_time(driver, 600)
    assert driver.registry is not None
    driver.registry.label_moved("production", 2)
    driver.receive(driver.registry.events[-1][1])
    pass_time(driver, 90)
    assert (prompt.stale, prompt.age) == (True, 90)
    assert not driver.get().stale


def test_an_event_that_is_known_already_asks_nothing() -> None:
    driver = following()
    driver.get()
    assert driver.receive(sse("label.moved", 1, prompt=TRIAGE, label="production")) == []


def test_an_answer_that_an_event_overtook_is_not_fresh_and_asked_for_again() -> None:
    registry = FakeRegistry()
    driver = following(registry)
    step = driver.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, FetchStep)
    late = driver.outcome(step.fetch)
    registry.label_moved("production", 2)
    assert driver.receive(registry.events[-1][1]) == []  # nothing is cached yet
    driver.core.settle(step.fetch, late)
    assert driver.core.fresh_prompt(TRIAGE, None, None, None) is None
    refetch = driver.core.refetch(step.fetch)
    assert refetch == Refetch(0.0, PRODUCTION, 1)
    again = driver.core.confirmation(refetch.selector, refetch.attempt)
    assert again is not None
    driver.fetch(again)
    assert driver.core.refetch(again) is None
    pass_time(driver, 600)
    assert (driver.get().version, len(driver.requests)) == (2, 2)


def test_a_lagging_server_process_is_asked_three_times_and_then_at_the_next_lookup() -> None:
    registry = FakeRegistry()
    driver = following(registry)
    driver.get()
    driver.registry, driver.respond = None, lambda: received(1, revision=1)
    (selector,) = driver.core.on_stream_chunk(driver.attempt, sse("label.moved", 2, prompt=TRIAGE, label="production"))
    fetch = driver.core.confirmation(selector)
    delays = []
    while fetch is not None:
        driver.fetch(fetch)
        refetch = driver.core.refetch(fetch)
        fetch = None if refetch is None else driver.core.confirmation(refetch.selector, refetch.attempt)
        delays += [] if refetch is None else [refetch.delay]
    assert delays == [0.0, 0.25, 1.0]
    requests_before = len(driver.requests)
    assert driver.get().version == 1  # put off for as long as it may lag
    assert len(driver.requests) == requests_before
    driver.now += 1
    registry.label_moved("production", 2)
    driver.registry = registry
    driver.get()
    assert driver.get().version == 2


def test_what_was_asked_before_the_stream_began_is_confirmed_when_it_begins() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry, follow=True)
    driver.get()
    driver.get(version=1)
    assert driver.receive(*registry.stream(driver.connect())) == [PRODUCTION]


def test_what_was_asked_before_the_stream_began_and_comes_after_is_asked_for_again() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry, follow=True)
    step = driver.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, FetchStep)
    late = driver.outcome(step.fetch)
    driver.now += 0.1
    driver.receive(*registry.stream(driver.connect()))
    driver.now += 0.1
    driver.core.settle(step.fetch, late)
    refetch = driver.core.refetch(step.fetch)
    assert refetch is not None
    again = driver.core.confirmation(refetch.selector, refetch.attempt)
    assert again is not None
    driver.fetch(again)
    assert driver.core.refetch(step.fetch) is None


def test_a_stream_vouches_only_for_what_was_asked_a_moment_after_its_beginning() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry, follow=True)
    driver.receive(*registry.stream(driver.connect()))
    driver.now += SETTLING_SECONDS - 0.1
    driver.get()
    pass_time(driver, 600)
    assert driver.get().stale  # of another process of the server, which may have been behind
    assert not driver.get().stale
    pass_time(driver, 600)
    assert not driver.get().stale
    assert len(driver.requests) == 2


def test_a_stream_that_goes_on_where_it_was_has_missed_nothing() -> None:
    registry = FakeRegistry()
    driver = following(registry)
    driver.get()
    pass_time(driver, 300)
    driver.disconnect(CUT)
    registry.label_moved("staging", 5)
    registry.label_moved("production", 2)
    last = driver.connect()
    assert last == 1
    assert driver.receive(*registry.stream(last)) == [PRODUCTION]
    assert driver.connect() == registry.revision
    assert driver.receive(*registry.stream(registry.revision)) == []
    pass_time(driver, 300)
    assert (driver.get().version, driver.get().stale, len(driver.requests)) == (2, False, 2)


def test_a_stream_that_ends_before_the_missed_events_came_requests_them_again() -> None:
    registry = FakeRegistry()
    driver = following(registry)
    driver.get()
    registry.label_moved("production", 2)
    driver.disconnect(CUT)
    (begun, *_missed) = registry.stream(driver.connect())
    assert driver.receive(begun) == []
    driver.disconnect(CUT)
    assert driver.connect() == 1


def restored(registry: FakeRegistry) -> list[bytes]:
    """Return the stream of a registry restored from a backup, which reports nevertheless that nothing was missed."""
    return [ready(registry.revision - 1)]


@pytest.mark.parametrize("begin", [lambda registry: registry.stream(1, remembers=False), restored], ids=["forgot", "restored"])
def test_a_stream_that_cannot_tell_what_was_missed_has_everything_confirmed(
    begin: Callable[[FakeRegistry], list[bytes]],
) -> None:
    registry = FakeRegistry()
    registry.label_moved("staging", 2)
    driver = following(registry)
    driver.get()
    driver.get(label="staging")
    driver.get(version=1)
    pass_time(driver, 300)
    driver.disconnect(CUT)
    driver.connect()
    assert {selector.label for selector in driver.receive(*begin(registry))} == {"production", "staging"}
    assert (len(driver.requests), driver.get().stale) == (5, False)


def test_every_arm_that_is_held_is_confirmed() -> None:
    registry = FakeRegistry()
    registry.label_moved("production", [(1, 50.0), (2, 50.0)])
    driver = following(registry)
    keys = [f"user-{number}" for number in range(100)]
    for key in keys:
        driver.get(targeting_key=key)
    registry.label_moved("production", [(1, 20.0), (2, 80.0)])
    assert len(driver.receive(registry.events[-1][1])) == 2
    pass_time(driver, 600)
    assert [driver.get(targeting_key=key).version for key in keys] == [registry.version_for("production", key) for key in keys]
    assert len(driver.requests) == 4


def test_when_the_stream_is_lost_answers_stay_fresh_for_one_more_ttl() -> None:
    driver = following()
    driver.get()
    pass_time(driver, 300)
    driver.disconnect(CUT)
    driver.now += 59
    assert not driver.get().stale
    assert len(driver.requests) == 1
    driver.now += 1
    assert driver.get().stale
    assert not driver.get().stale
    assert len(driver.requests) == 2


@pytest.mark.parametrize("ttl", [0.0, 5.0, 300.0])
def test_a_silent_stream_vouches_for_three_signs_of_life_or_the_ttl(ttl: float) -> None:
    driver = following(ttl=ttl)
    driver.get()
    driver.now += 15
    driver.receive(ALIVE)
    driver.now += max(STREAM_SILENCE_SECONDS, ttl) - 0.1
    assert not driver.get().stale
    assert len(driver.requests) == 1
    driver.now += 0.2
    assert driver.get().stale
    assert len(driver.requests) == 2


def test_a_prompt_that_is_gone_is_served_on_and_asked_for_after_the_ttl() -> None:
    driver = following()
    driver.get()
    driver.registry, driver.respond = None, lambda: ServerRefusal(PromptNotFound("it is archived"))
    assert driver.receive(sse("prompt.archived", 2, prompt=TRIAGE)) == [PRODUCTION]
    for _ in range(3):
        assert driver.get().version == 1
    assert len(driver.requests) == 2
    pass_time(driver, 60)
    driver.get()
    assert len(driver.requests) == 3
    assert len(driver.warnings) == 1


def test_what_cannot_be_confirmed_is_asked_for_when_it_is_wanted() -> None:
    driver = following(failures=9)
    driver.get()
    driver.registry = None
    driver.receive(sse("label.moved", 2, prompt=TRIAGE, label="production"))
    assert driver.core.fresh_prompt(TRIAGE, None, None, None) is None
    assert driver.get().version == 1
    assert len(driver.requests) == 3


@pytest.mark.parametrize(
    "chunk",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        sse("label.moved", 2, prompt=TRIAGE).replace(b'"revision": 2', b'"revision": "2"'),
        b"data: " + b"x" * 2_000_000,
    ],
    ids=["not json", "no object", "no revision", "oversized"],
)
def test_what_is_no_event_of_a_server_ends_the_stream_and_begins_it_anew(chunk: bytes) -> None:
    driver = following()
    driver.get()
    with pytest.raises(UnusableResponse):
        driver.receive(chunk)
    driver.disconnect(StreamEnd("garbage", unusable=True))
    assert not driver.core.following.live
    assert driver.connect() is None
    assert driver.receive(ready(7)) == [PRODUCTION]


def test_a_stream_begins_with_ready() -> None:
    driver = CoreDriver(follow=True)
    with pytest.raises(UnusableResponse, match="ready"):
        driver.receive(sse("label.moved", 2, prompt=TRIAGE))


def test_a_client_that_does_not_follow_hears_nothing() -> None:
    driver = CoreDriver()
    assert driver.receive(ready(1)) == []
    assert driver.disconnect(CUT) == 0


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_stream_that_lasted() -> None:
    now = 1000.0
    stream = ChangeStream(60.0, lambda: now, lambda: 1.0)

    def connect(seconds: float | None = None) -> float:
        nonlocal now
        attempt = stream.begin()
        if seconds is not None:
            stream.read(attempt, ready(1), ignore)
            now += seconds
        return stream.end(attempt, CUT)

    assert [connect() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert connect(seconds=1) == 60
    assert connect(seconds=10) == 1
    assert [connect() for _ in range(30)][-1] == 60


@pytest.mark.parametrize(
    ("end", "least", "most"),
    [
        (StreamEnd("cut off"), 0.5, 1.0),
        (StreamEnd("404", refused=True), 30.0, 60.0),
        (StreamEnd("503", retry_after=7.0), 7.0, 7.0),
        (StreamEnd("503", retry_after=1e9), 300.0, 300.0),
        (StreamEnd("503", retry_after=0.0), 0.5, 1.0),
    ],
)
@given(draw=st.floats(0, 1))
def test_pauses_are_spread_out_and_heed_the_server(end: StreamEnd, least: float, most: float, draw: float) -> None:
    stream = ChangeStream(60.0, lambda: 0.0, lambda: draw)
    assert least <= stream.end(stream.begin(), end) <= most


@pytest.mark.parametrize(("retry", "pause"), [(b"3000", 3.0), (b"0", 0.1), (b"999999999", 60.0)])
def test_the_server_says_how_soon_to_come_back_within_reason(retry: bytes, pause: float) -> None:
    stream = ChangeStream(60.0, lambda: 0.0, lambda: 1.0)
    attempt = stream.begin()
    stream.read(attempt, b"retry: " + retry + b"\n\n", ignore)
    assert stream.end(attempt, CUT) == pause


def test_bytes_and_the_end_of_a_superseded_connection_change_nothing() -> None:
    stream = ChangeStream(60.0, lambda: 1000.0)
    first = stream.begin()
    stream.read(first, ready(1), ignore)
    second = stream.begin()
    stream.read(second, ready(1), ignore)
    changes: list[PromptChange] = []
    stream.read(first, b"garbage\n\n" + sse("label.moved", 9, prompt=TRIAGE), changes.append)
    assert stream.end(first, StreamEnd("garbage", unusable=True)) == 0.0
    assert (stream.live, changes) == (True, [])
    stream.read(second, sse("label.moved", 2, prompt=TRIAGE), changes.append)
    assert changes == [PromptChange(TRIAGE, 2)]
    assert stream.begin().resume_after == 2


def test_a_reader_that_was_superseded_while_it_waited_does_not_reconnect() -> None:
    stream = ChangeStream(60.0, lambda: 1000.0)
    first = stream.begin()
    stream.end(first, CUT)
    second = stream.begin()
    assert stream.reconnect(first) is None
    assert stream.reconnect(second) == StreamAttempt(second.number + 1, None)


def test_a_confirmation_is_built_from_what_memory_has_when_it_starts() -> None:
    registry = FakeRegistry()
    registry.label_moved("production", [(1, 50.0), (2, 50.0)])
    driver = following(registry)
    keys = [f"user-{number}" for number in range(100)]
    for key in keys:
        driver.get(targeting_key=key)
    registry.label_moved("production", [(1, 20.0), (2, 80.0)])
    first, second = driver.core.on_stream_chunk(driver.attempt, registry.events[-1][1])
    fetch = driver.core.confirmation(first)
    assert fetch is not None
    driver.fetch(fetch)  # brings the new split, which replaces the entry of the other arm
    fetch = driver.core.confirmation(second)
    assert fetch is not None
    assert fetch.entry is driver.core.entry(second)
    driver.fetch(fetch)
    assert driver.core.confirmation(second) is None  # it is confirmed, so there is nothing to ask
    assert all(driver.core.fresh_prompt(TRIAGE, None, None, key) is not None for key in keys)


def test_events_of_prompts_that_nobody_asked_for_take_no_more_memory_than_so_much() -> None:
    driver = following(entries=5)
    driver.get()
    for number in range(100):
        assert driver.receive(sse("version.created", number + 2, prompt=f"support.p{number}")) == []
    assert len(driver.core._cache._events) == 5


def test_that_there_is_no_stream_is_told_once_until_there_is_one() -> None:
    driver = CoreDriver(follow=True)
    for _ in range(3):
        driver.disconnect(StreamEnd("the server answered 404", refused=True))
        driver.disconnect(CUT)
    assert len(driver.warnings) == 1
    assert "404" in driver.warnings[0]
    driver.connect()
    driver.receive(ready(1))
    driver.disconnect(StreamEnd("the server answered 404", refused=True))
    assert len(driver.warnings) == 2
