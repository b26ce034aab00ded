"""The concurrency limit of a provider: all that the plan allows until there is evidence of too much, then fewer.

The rule is additive increase, multiplicative decrease (Chiu and Jain, 1989), as in TCP: a refusal halves the limit once in a
round trip, and each round trip without a refusal adds 1. Latency counts too, as in TCP Vegas (Brakmo and Peterson, 1995): if
more concurrent calls only made each of them slower, the limit falls. The rule is pure and takes the time as an argument; the
limiter applies it to tasks.
"""

import asyncio
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW = 16
LATENCY_FACTOR = 2.0
THROUGHPUT_GAIN = 1.1
LATENCY_DECREASE = 0.75


@dataclass(frozen=True)
class _Baseline:
    """The lowest latency that was measured, in seconds, and the number of calls in flight at that time."""

    latency: float
    load: float


@dataclass
class AdaptiveConcurrency:
    """The rule for the concurrency limit of one provider.

    Attributes:
        highest: the highest limit, 1 or more.
        limit: the limit of now, in [1, highest]; `allowed` is it in whole calls.
        paused_until: the time before which no call may start.
    """

    highest: int
    limit: float = field(init=False)
    paused_until: float = field(default=float("-inf"), init=False)
    _cut_at: float = field(default=float("-inf"), init=False)
    _baselines: dict[str, _Baseline] = field(default_factory=dict, init=False)
    _windows: dict[str, list[tuple[float, float]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.limit = float(self.highest)

    @property
    def allowed(self) -> int:
        """How many calls may be in flight."""
        return max(1, int(self.limit))

    def refused(self, started: float, now: float, load: int, pause: float | None = None) -> None:
        """Record a refusal: halve the number of calls in flight, once for all calls sent before the last cut.

        Args:
            started: when the call was sent.
            now: the time of the refusal, by the same clock.
            load: the number of calls in flight, with this one.
            pause: the seconds that the provider asks to wait.
        """
        if pause:
            self.paused_until = max(self.paused_until, now + pause)
        if started >= self._cut_at:
            self._cut(min(self.limit, load) / 2, now)

    def succeeded(self, model: str, started: float, now: float, load: int) -> None:
        """Record a reply: a round trip of replies adds one call; a clearly higher latency lowers the limit.

        Args:
            model: latencies of different models are not compared.
            started: when the call was sent.
            now: the time of the reply, by the same clock.
            load: the highest number of calls in flight beside it, with this one.
        """
        self.limit = min(float(self.highest), self.limit + 1 / self.limit)
        if started < self._cut_at:
            return
        window = self._windows.setdefault(model, [])
        window.append((now - started, load))
        if len(window) >= max(WINDOW, self.allowed):
            self._windows[model] = []
            latency = statistics.median(seconds for seconds, _ in window)
            self._compare(model, latency, statistics.fmean(load for _, load in window), now)

    def _compare(self, model: str, latency: float, load: float, now: float) -> None:
        baseline = self._baselines.get(model)
        if baseline is None or latency <= baseline.latency:
            self._baselines[model] = _Baseline(latency, load)
            return
        slower = load > baseline.load and latency > LATENCY_FACTOR * baseline.latency
        # By Little's law load / latency is the rate of replies: a higher load must bring a higher rate.
        if slower and load / latency < THROUGHPUT_GAIN * baseline.load / baseline.latency:
            self._cut(max(self.limit * LATENCY_DECREASE, baseline.load), now)

    def _cut(self, limit: float, now: float) -> None:
        self.limit = min(self.limit, max(1.0, limit))
        self._cut_at = now
        self._windows.clear()


class ConcurrencyLimiter:
    """Slots for the calls of one provider, first come, first served; for the tasks of one event loop.

    Attributes:
        rule: decides how many slots there are.
        in_flight: how many slots are taken.
    """

    def __init__(self, rule: AdaptiveConcurrency, clock: Callable[[], float]) -> None:
        """Start with all slots free; the clock gives seconds, and the rule gets its times from the same clock."""
        self.rule = rule
        self.in_flight = 0
        self._clock = clock
        self._queue: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether the calls that have a slot may start now: there is no pause, and they are not too many."""
        return self.rule.paused_until <= self._clock() and self.in_flight <= self.rule.allowed

    async def acquire(self) -> None:
        """Wait for a slot; the caller must `release` it."""
        if not self._queue and self.in_flight < self.rule.allowed and self.rule.paused_until <= self._clock():
            self.in_flight += 1
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(slot)
        self.wake()
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Return a slot."""
        self.in_flight -= 1
        self.wake()

    def wake(self) -> None:
        """Assign free slots to the tasks that wait; called after every change of the rule."""
        while self._queue:
            if self._queue[0].done():  # its task was cancelled
                self._queue.popleft()
            elif (wait := self.rule.paused_until - self._clock()) > 0:
                self._wake_after(wait)
                return
            elif self.in_flight >= self.rule.allowed:
                return
            else:
                self.in_flight += 1
                self._queue.popleft().set_result(None)

    def _wake_after(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self.wake)
