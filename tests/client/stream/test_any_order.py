"""Whatever happens in whatever order, memory agrees with the server once all events have come."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import ALIVE, TRIAGE, CoreDriver, FakeRegistry
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import FetchStep, RefreshStep
from promptuary.client.transport.wire import StreamEnd

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
        self.driver = CoreDriver(registry=self.registry, follow=True)
        self.in_flight: list[tuple[PendingFetch, Any]] = []
        self.pipe: list[bytes] | None = None

    def do(self, what: str, *args: Any) -> None:
        self.driver.now += 0.001
        getattr(self, what)(*args)

    def move(self, label: str, to: Any) -> None:
        self.registry.label_moved(label, to)
        if self.pipe is not None:
            self.pipe.append(self.registry.events[-1][1])

    def get(self, label: str, key: str | None) -> None:
        assert self.driver.get(label=label, targeting_key=key).source in ("memory", "server")

    def ask(self, label: str, key: str | None) -> None:
        """Begin a lookup whose answer is made now and comes later."""
        if self.driver.core.fresh_prompt(TRIAGE, label, None, key) is None:
            step = next(self.driver.core.lookup(TRIAGE, label, None, key, None), None)
            if isinstance(step, FetchStep | RefreshStep):
                self.start(step.fetch)

    def land(self) -> None:
        if self.in_flight:
            fetch, outcome = self.in_flight.pop(0)
            self.driver.core.settle(fetch, outcome)
            refetch = self.driver.core.refetch(fetch)
            if refetch is not None:
                self.start(self.driver.core.confirmation(refetch.selector, refetch.attempt))

    def hear(self) -> None:
        if self.pipe:
            for selector in self.driver.core.on_stream_chunk(self.driver.attempt, self.pipe.pop(0)):
                self.start(self.driver.core.confirmation(selector))

    def start(self, fetch: PendingFetch | None) -> None:
        if fetch is not None:
            self.in_flight.append((fetch, self.driver.outcome(fetch)))

    def cut(self) -> None:
        if self.pipe is not None:
            self.pipe = None
            self.driver.disconnect(StreamEnd("cut off"))

    def connect(self, remembers: bool) -> None:
        self.cut()
        assert self.driver.core.following is not None
        self.pipe = self.registry.stream(self.driver.connect(), remembers=remembers)

    def wait(self, seconds: float) -> None:
        self.driver.now += seconds
        if self.pipe is not None:
            self.pipe.append(ALIVE)


@given(st.lists(steps, max_size=40))
def test_after_all_events_memory_agrees_with_the_server_for_every_key(scene: list[Any]) -> None:
    play = Play()
    for what in scene:
        play.do(*what)
    if play.pipe is None:
        play.do("connect", True)
    while play.pipe or play.in_flight:
        play.do("hear")
        play.do("land")
    everybody = [(label, key) for label in LABELS for key in (None, "ada", "bob", "cleo", "dan")]
    for label, key in everybody:  # an arm that nobody had is requested; a cached one is right at once
        cached = play.driver.core.fresh_prompt(TRIAGE, label, None, key)
        assert cached is None or cached.version == play.registry.version_for(label, key)
        play.driver.get(label=label, targeting_key=key)
    requests_before = len(play.driver.requests)
    for label, key in everybody:
        assert play.driver.get(label=label, targeting_key=key).version == play.registry.version_for(label, key)
    assert len(play.driver.requests) == requests_before
