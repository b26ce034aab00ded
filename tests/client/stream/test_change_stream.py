"""What a stream of changes does to a client's memory, and when the stream is asked for again; without any I/O."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import ALIVE, TRIAGE, CoreDriver, FakeRegistry, ready, received, sse
from promptuary.client import PromptNotFound
from promptuary.client.lookup.cache import PendingFetch
from promptuary.client.lookup.core import FetchStep, LookupPolicy, RefreshStep
from promptuary.client.stream.change_stream import SETTLING_SECONDS, SILENCE_SECONDS, ChangeStream
from promptuary.client.transport.wire import ServerRefusal, StreamEnd
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import UnusableResponse

PRODUCTION = Selector(TRIAGE, "production", None, None)
CUT = StreamEnd("cut off")


def following(registry: FakeRegistry | None = None, **policy: Any) -> CoreDriver:
    """Give a client whose stream has begun long enough ago to vouch for what is asked now."""
    shell = CoreDriver(LookupPolicy(**policy), registry=registry or FakeRegistry(), follow=True)
    assert shell.registry is not None
    assert shell.core.following is not None
    shell.hear(*shell.registry.stream(shell.core.following.begin()))
    shell.now += SETTLING_SECONDS
    return shell


def pass_time(shell: CoreDriver, seconds: float) -> None:
    """Let time pass with a living stream."""
    for _ in range(int(seconds / 15)):
        shell.now += 15
        assert shell.hear(ALIVE) == []


def test_while_the_stream_lives_nothing_is_asked_for_again() -> None:
    shell = following()
    first = shell.get()
    shell.get(version=1)
    for _ in range(10):
        pass_time(shell, 600)
        prompt = shell.get()
        assert (prompt.source, prompt.stale, shell.get(version=1).stale) == ("memory", False, False)
        assert prompt.age is not None
        assert prompt.age < 15
    assert len(shell.asked) == 2
    assert not first.stale


def test_an_event_has_the_prompts_labels_confirmed_at_once_and_nothing_else() -> None:
    registry = FakeRegistry()
    registry.label_moved("staging", 2)
    shell = following(registry)
    shell.get()
    shell.get(label="staging")
    shell.get(version=1)
    pass_time(shell, 600)
    registry.label_moved("production", 3)
    assert shell.hear(sse("label.moved", 99, prompt="support.other", label="production")) == []
    assert set(shell.hear(registry.events[-1][1])) == {PRODUCTION, PRODUCTION._replace(label="staging")}
    assert (shell.get().version, shell.get(label="staging").version, shell.get(version=1).version) == (3, 2, 1)
    assert len(shell.asked) == 5
    assert shell.asked[-1][1] is not None  # with its ETag


@pytest.mark.parametrize("kind", ["version.created", "label.moved", "prompt.archived", "prompt.restored", "prompt.renamed"])
def test_every_kind_of_event_counts_also_one_that_is_not_known_yet(kind: str) -> None:
    shell = following()
    shell.get()
    assert shell.hear(sse(kind, 2, prompt=TRIAGE)) == [PRODUCTION]
    assert shell.hear(sse("project.moved", 3)) == []


def test_what_is_held_is_served_until_the_new_one_is_there() -> None:
    shell = following()
    held = shell.get()
    (question,) = shell.core.heard(sse("label.moved", 2, prompt=TRIAGE, label="production"))
    assert shell.core.fresh(TRIAGE, None, None, None) is None
    step = shell.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, RefreshStep)
    assert step.question.about == question.about  # the same request serves both
    assert shell.registry is not None
    shell.registry.label_moved("production", 2)
    assert (shell.get().version, held.version) == (1, 1)
    shell.ask(question)
    assert shell.get().version == 2


def test_a_prompt_that_was_given_out_grows_old_from_the_event_on() -> None:
    shell = following()
    prompt = shell.get()
    pass_time(shell, 600)
    assert shell.registry is not None
    shell.registry.label_moved("production", 2)
    shell.hear(shell.registry.events[-1][1])
    pass_time(shell, 90)
    assert (prompt.stale, prompt.age) == (True, 90)
    assert not shell.get().stale


def test_an_event_that_is_known_already_asks_nothing() -> None:
    shell = following()
    shell.get()
    assert shell.hear(sse("label.moved", 1, prompt=TRIAGE, label="production")) == []


def test_an_answer_that_an_event_overtook_is_not_fresh_and_asked_for_again() -> None:
    registry = FakeRegistry()
    shell = following(registry)
    step = shell.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, FetchStep)
    late = shell.answer(step.question)
    registry.label_moved("production", 2)
    assert shell.hear(registry.events[-1][1]) == []  # nothing is held yet
    shell.core.settle(step.question, late)
    assert shell.core.fresh(TRIAGE, None, None, None) is None
    again = shell.core.again(step.question)
    assert again is not None
    pause, question = again
    assert pause == 0
    shell.ask(question)
    assert shell.core.again(question) is None
    pass_time(shell, 600)
    assert (shell.get().version, len(shell.asked)) == (2, 2)


def test_a_server_process_that_lags_behind_is_asked_three_times_and_then_when_the_prompt_is_wanted() -> None:
    registry = FakeRegistry()
    shell = following(registry)
    shell.get()
    shell.registry, shell.answers = None, lambda: received(1, revision=1)
    (question,) = shell.core.heard(sse("label.moved", 2, prompt=TRIAGE, label="production"))
    pauses = []
    while True:
        shell.ask(question)
        again = shell.core.again(question)
        if again is None:
            break
        pause, question = again
        pauses.append(pause)
    assert pauses == [0.0, 0.25, 1.0]
    asked = len(shell.asked)
    assert shell.get().version == 1  # put off for as long as it may lag
    assert len(shell.asked) == asked
    shell.now += 1
    registry.label_moved("production", 2)
    shell.registry = registry
    shell.get()
    assert shell.get().version == 2


def test_what_was_asked_before_the_stream_began_is_confirmed_when_it_begins() -> None:
    registry = FakeRegistry()
    shell = CoreDriver(registry=registry, follow=True)
    shell.get()
    shell.get(version=1)
    assert shell.core.following is not None
    assert shell.hear(*registry.stream(shell.core.following.begin())) == [PRODUCTION]


def test_what_was_asked_before_the_stream_began_and_comes_after_is_asked_for_again() -> None:
    registry = FakeRegistry()
    shell = CoreDriver(registry=registry, follow=True)
    step = shell.core.lookup(TRIAGE, None, None, None, None).send(None)
    assert isinstance(step, FetchStep)
    late = shell.answer(step.question)
    assert shell.core.following is not None
    shell.now += 0.1
    shell.hear(*registry.stream(shell.core.following.begin()))
    shell.now += 0.1
    shell.core.settle(step.question, late)
    again = shell.core.again(step.question)
    assert again is not None
    shell.ask(again[1])
    assert shell.core.again(step.question) is None


def test_a_stream_vouches_only_for_what_was_asked_a_moment_after_its_beginning() -> None:
    registry = FakeRegistry()
    shell = CoreDriver(registry=registry, follow=True)
    assert shell.core.following is not None
    shell.hear(*registry.stream(shell.core.following.begin()))
    shell.now += SETTLING_SECONDS - 0.1
    shell.get()
    pass_time(shell, 600)
    assert shell.get().stale  # of another process of the server, which may have been behind
    assert not shell.get().stale
    pass_time(shell, 600)
    assert not shell.get().stale
    assert len(shell.asked) == 2


def test_a_stream_that_goes_on_where_it_was_has_missed_nothing() -> None:
    registry = FakeRegistry()
    shell = following(registry)
    shell.get()
    pass_time(shell, 300)
    assert shell.core.following is not None
    shell.core.stream_ended(CUT)
    registry.label_moved("staging", 5)
    registry.label_moved("production", 2)
    last = shell.core.following.begin()
    assert last == 1
    assert shell.hear(*registry.stream(last)) == [PRODUCTION]
    assert shell.core.following.begin() == registry.revision
    assert shell.hear(*registry.stream(registry.revision)) == []
    pass_time(shell, 300)
    assert (shell.get().version, shell.get().stale, len(shell.asked)) == (2, False, 2)


def test_a_stream_that_breaks_off_before_what_was_missed_has_come_asks_for_it_again() -> None:
    registry = FakeRegistry()
    shell = following(registry)
    shell.get()
    registry.label_moved("production", 2)
    assert shell.core.following is not None
    shell.core.stream_ended(CUT)
    (begun, *_missed) = registry.stream(shell.core.following.begin())
    assert shell.hear(begun) == []
    shell.core.stream_ended(CUT)
    assert shell.core.following.begin() == 1


def restored(registry: FakeRegistry) -> list[bytes]:
    """A registry restored from a backup that says all the same that nothing was missed."""
    return [ready(registry.revision - 1)]


@pytest.mark.parametrize("begin", [lambda registry: registry.stream(1, remembers=False), restored], ids=["forgot", "restored"])
def test_a_stream_that_cannot_tell_what_was_missed_has_everything_confirmed(
    begin: Callable[[FakeRegistry], list[bytes]],
) -> None:
    registry = FakeRegistry()
    registry.label_moved("staging", 2)
    shell = following(registry)
    shell.get()
    shell.get(label="staging")
    shell.get(version=1)
    pass_time(shell, 300)
    shell.core.stream_ended(CUT)
    assert shell.core.following is not None
    shell.core.following.begin()
    assert {selector.label for selector in shell.hear(*begin(registry))} == {"production", "staging"}
    assert (len(shell.asked), shell.get().stale) == (5, False)


def test_every_arm_that_is_held_is_confirmed() -> None:
    registry = FakeRegistry()
    registry.label_moved("production", [(1, 50.0), (2, 50.0)])
    shell = following(registry)
    keys = [f"user-{number}" for number in range(100)]
    for key in keys:
        shell.get(targeting_key=key)
    registry.label_moved("production", [(1, 20.0), (2, 80.0)])
    assert len(shell.hear(registry.events[-1][1])) == 2
    pass_time(shell, 600)
    assert [shell.get(targeting_key=key).version for key in keys] == [registry.version_for("production", key) for key in keys]
    assert len(shell.asked) == 4


def test_when_the_stream_is_lost_answers_are_fresh_for_another_ttl_and_then_asked_for_again() -> None:
    shell = following()
    shell.get()
    pass_time(shell, 300)
    shell.core.stream_ended(CUT)
    shell.now += 59
    assert not shell.get().stale
    assert len(shell.asked) == 1
    shell.now += 1
    assert shell.get().stale
    assert not shell.get().stale
    assert len(shell.asked) == 2


@pytest.mark.parametrize("ttl", [0.0, 5.0, 300.0])
def test_a_silent_stream_vouches_for_three_signs_of_life_or_the_ttl(ttl: float) -> None:
    shell = following(ttl=ttl)
    shell.get()
    shell.now += 15
    shell.hear(ALIVE)
    shell.now += max(SILENCE_SECONDS, ttl) - 0.1
    assert not shell.get().stale
    assert len(shell.asked) == 1
    shell.now += 0.2
    assert shell.get().stale
    assert len(shell.asked) == 2


def test_a_prompt_that_is_gone_is_served_on_and_asked_for_after_the_ttl() -> None:
    shell = following()
    shell.get()
    shell.registry, shell.answers = None, lambda: ServerRefusal(PromptNotFound("it is archived"))
    assert shell.hear(sse("prompt.archived", 2, prompt=TRIAGE)) == [PRODUCTION]
    for _ in range(3):
        assert shell.get().version == 1
    assert len(shell.asked) == 2
    pass_time(shell, 60)
    shell.get()
    assert len(shell.asked) == 3
    assert len(shell.told) == 1


def test_what_cannot_be_confirmed_is_asked_for_when_it_is_wanted() -> None:
    shell = following(failures=9)
    shell.get()
    shell.registry = None
    shell.hear(sse("label.moved", 2, prompt=TRIAGE, label="production"))
    assert shell.core.fresh(TRIAGE, None, None, None) is None
    assert shell.get().version == 1
    assert len(shell.asked) == 3


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
    shell = following()
    shell.get()
    assert shell.core.following is not None
    with pytest.raises(UnusableResponse):
        shell.hear(chunk)
    shell.core.stream_ended(StreamEnd("garbage", unusable=True))
    assert not shell.core.following.live
    assert shell.core.following.begin() is None
    assert shell.hear(ready(7)) == [PRODUCTION]


def test_a_stream_begins_with_ready() -> None:
    shell = CoreDriver(follow=True)
    with pytest.raises(UnusableResponse, match="ready"):
        shell.hear(sse("label.moved", 2, prompt=TRIAGE))


def test_a_client_that_does_not_follow_hears_nothing() -> None:
    shell = CoreDriver()
    assert shell.hear(ready(1)) == []
    assert shell.core.stream_ended(CUT) == 0


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_stream_that_lasted() -> None:
    now = 1000.0
    stream = ChangeStream(60.0, lambda: now, lambda: 1.0)

    def connect(seconds: float | None = None) -> float:
        nonlocal now
        stream.begin()
        if seconds is not None:
            list(stream.heard(ready(1)))
            now += seconds
        return stream.ended(CUT)

    assert [connect() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert connect(seconds=1) == 60
    assert connect(seconds=10) == 1
    assert [stream.ended(CUT) for _ in range(30)][-1] == 60


@pytest.mark.parametrize(
    ("how", "least", "most"),
    [
        (StreamEnd("cut off"), 0.5, 1.0),
        (StreamEnd("404", refused=True), 30.0, 60.0),
        (StreamEnd("503", retry_after=7.0), 7.0, 7.0),
        (StreamEnd("503", retry_after=1e9), 300.0, 300.0),
        (StreamEnd("503", retry_after=0.0), 0.5, 1.0),
    ],
)
@given(draw=st.floats(0, 1))
def test_pauses_are_spread_out_and_heed_the_server(how: StreamEnd, least: float, most: float, draw: float) -> None:
    assert least <= ChangeStream(60.0, lambda: 0.0, lambda: draw).ended(how) <= most


@pytest.mark.parametrize(("retry", "pause"), [(b"3000", 3.0), (b"0", 0.1), (b"999999999", 60.0)])
def test_the_server_says_how_soon_to_come_back_within_reason(retry: bytes, pause: float) -> None:
    stream = ChangeStream(60.0, lambda: 0.0, lambda: 1.0)
    stream.begin()
    list(stream.heard(b"retry: " + retry + b"\n\n"))
    assert stream.ended(CUT) == pause


def test_events_of_prompts_that_nobody_asked_for_take_no_more_memory_than_so_much() -> None:
    shell = following(entries=5)
    shell.get()
    for number in range(100):
        assert shell.hear(sse("version.created", number + 2, prompt=f"support.p{number}")) == []
    assert len(shell.core._memory._events) == 5


def test_that_there_is_no_stream_is_told_once_until_there_is_one() -> None:
    shell = CoreDriver(follow=True)
    for _ in range(3):
        shell.core.stream_ended(StreamEnd("the server answered 404", refused=True))
        shell.core.stream_ended(CUT)
    assert len(shell.told) == 1
    assert "404" in shell.told[0]
    assert shell.core.following is not None
    shell.core.following.begin()
    shell.hear(ready(1))
    shell.core.stream_ended(StreamEnd("the server answered 404", refused=True))
    assert len(shell.told) == 2


# --- whatever comes in whatever order -----------------------------------------------------------------------------------

LABELS = ["production", "staging"]
keys = st.sampled_from([None, "ada", "bob", "cleo", "dan"])
moves = st.one_of(st.integers(1, 4), st.sampled_from([[(1, 50.0), (2, 50.0)], [(1, 20.0), (2, 80.0)], [(3, 50.0), (2, 50.0)]]))
steps = st.one_of(
    st.tuples(st.just("move"), st.sampled_from(LABELS), moves),
    st.tuples(st.just("get"), st.sampled_from(LABELS), keys),
    st.tuples(st.just("ask"), st.sampled_from(LABELS), keys),
    st.tuples(st.just("land")),
    st.tuples(st.just("hear")),
    st.tuples(st.just("cut")),
    st.tuples(st.just("connect"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 5.0, 50.0])),
)


class Play:
    """A client and a server between which answers are late, events come late, and the stream breaks off."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.registry.label_moved("staging", 1)
        self.shell = CoreDriver(registry=self.registry, follow=True)
        self.under_way: list[tuple[PendingFetch, Any]] = []
        self.pipe: list[bytes] | None = None

    def do(self, what: str, *args: Any) -> None:
        self.shell.now += 0.001
        getattr(self, what)(*args)

    def move(self, label: str, to: Any) -> None:
        self.registry.label_moved(label, to)
        if self.pipe is not None:
            self.pipe.append(self.registry.events[-1][1])

    def get(self, label: str, key: str | None) -> None:
        assert self.shell.get(label=label, targeting_key=key).source in ("memory", "server")

    def ask(self, label: str, key: str | None) -> None:
        """Begin a lookup whose answer is made now and comes later."""
        if self.shell.core.fresh(TRIAGE, label, None, key) is None:
            step = next(self.shell.core.lookup(TRIAGE, label, None, key, None), None)
            if isinstance(step, FetchStep | RefreshStep):
                self.under_way.append((step.question, self.shell.answer(step.question)))

    def land(self) -> None:
        if self.under_way:
            question, outcome = self.under_way.pop(0)
            self.shell.core.settle(question, outcome)
            again = self.shell.core.again(question)
            if again is not None:
                self.under_way.append((again[1], self.shell.answer(again[1])))

    def hear(self) -> None:
        if self.pipe:
            for question in self.shell.core.heard(self.pipe.pop(0)):
                self.under_way.append((question, self.shell.answer(question)))

    def cut(self) -> None:
        if self.pipe is not None:
            self.pipe = None
            self.shell.core.stream_ended(CUT)

    def connect(self, remembers: bool) -> None:
        self.cut()
        assert self.shell.core.following is not None
        self.pipe = self.registry.stream(self.shell.core.following.begin(), remembers=remembers)

    def wait(self, seconds: float) -> None:
        self.shell.now += seconds
        if self.pipe is not None:
            self.pipe.append(ALIVE)


@given(st.lists(steps, max_size=40))
def test_when_all_is_heard_and_answered_every_key_has_what_the_server_gives_without_asking(scene: list[Any]) -> None:
    play = Play()
    for what in scene:
        play.do(*what)
    if play.pipe is None:
        play.do("connect", True)
    while play.pipe or play.under_way:
        play.do("hear")
        play.do("land")
    everybody = [(label, key) for label in LABELS for key in (None, "ada", "bob", "cleo", "dan")]
    for label, key in everybody:  # an arm that nobody had is asked for; what is held is right at once
        held = play.shell.core.fresh(TRIAGE, label, None, key)
        assert held is None or held.version == play.registry.version_for(label, key)
        play.shell.get(label=label, targeting_key=key)
    asked = len(play.shell.asked)
    for label, key in everybody:
        assert play.shell.get(label=label, targeting_key=key).version == play.registry.version_for(label, key)
    assert len(play.shell.asked) == asked
