"""How many calls a provider is asked at once: all that the plan allows until there is evidence of too much, then fewer.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), as TCP does: a refusal halves the number once in a round
trip, each round trip without one adds 1. Latency counts too (as in TCP Vegas, Brakmo and Peterson, 1995): where more calls at
once only made each of them slower, there are fewer. The rule is pure, and time is an argument; the gate lets tasks through.
"""

import asyncio
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW = 16
INFLATED = 2.0
GAIN = 1.1
EASED = 0.75


@dataclass(frozen=True)
class _Mark:
    """The lowest latency that was seen, in seconds, and how many calls were under way then."""

    latency: float
    load: float


@dataclass
class AdaptiveConcurrency:
    """The rule for one provider.

    Attributes:
        most: the most calls at once, 1 or more.
        limit: how many it is now, in [1, most]; whole calls are `allowed`.
        paused_until: the moment before which nothing may be asked.
    """

    most: int
    limit: float = field(init=False)
    paused_until: float = field(default=float("-inf"), init=False)
    _cut_at: float = field(default=float("-inf"), init=False)
    _marks: dict[str, _Mark] = field(default_factory=dict, init=False)
    _windows: dict[str, list[tuple[float, float]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    @property
    def allowed(self) -> int:
        """How many calls may be under way at once."""
        return max(1, int(self.limit))

    def refused(self, started: float, now: float, load: int, pause: float | None = None) -> None:
        """Take note of a refusal: half of what is under way, once for all calls that were sent before the last cut.

        Args:
            started: when the call was sent.
            now: the present moment, by the same clock.
            load: how many calls were under way, with this one.
            pause: the seconds that the provider asks to wait.
        """
        if pause:
            self.paused_until = max(self.paused_until, now + pause)
        if started >= self._cut_at:
            self._cut(min(self.limit, load) / 2, now)

    def succeeded(self, model: str, started: float, now: float, load: int) -> None:
        """Take note of an answer: a round trip of them allows one call more; a clearly slower one, fewer.

        Args:
            model: latencies of different models are not compared.
            started: when the call was sent.
            now: the present moment, by the same clock.
            load: the most calls that were under way beside it, with this one.
        """
        self.limit = min(float(self.most), self.limit + 1 / self.limit)
        if started < self._cut_at:
            return
        window = self._windows.setdefault(model, [])
        window.append((now - started, load))
        if len(window) >= max(WINDOW, self.allowed):
            self._windows[model] = []
            latency = statistics.median(seconds for seconds, _ in window)
            self._compare(model, latency, statistics.fmean(load for _, load in window), now)

    def _compare(self, model: str, latency: float, load: float, now: float) -> None:
        mark = self._marks.get(model)
        if mark is None or latency <= mark.latency:
            self._marks[model] = _Mark(latency, load)
        elif load > mark.load and latency > INFLATED * mark.latency and load / latency < GAIN * mark.load / mark.latency:
            # By Little's law load / latency is the rate of answers: more calls at once did not bring more of them.
            self._cut(max(self.limit * EASED, mark.load), now)

    def _cut(self, limit: float, now: float) -> None:
        self.limit = min(self.limit, max(1.0, limit))
        self._cut_at = now
        self._windows.clear()


class ConcurrencyLimiter:
    """Lets calls of one provider through, first come, first served; for the tasks of one event loop."""

    def __init__(self, congestion: AdaptiveConcurrency, clock: Callable[[], float]) -> None:
        """Let through what the rule allows; the clock gives seconds and is the one that the rule is told by."""
        self.congestion = congestion
        self.under_way = 0
        self._clock = clock
        self._line: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def enter(self) -> None:
        """Wait for a place; who has one must `leave`."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self.look()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back."""
        self.under_way -= 1
        self.look()

    def look(self) -> None:
        """Let through whoever may go now; called after every change of the rule."""
        while self._line:
            if self._line[0].done():  # its task has given up
                self._line.popleft()
            elif (wait := self.congestion.paused_until - self._clock()) > 0:
                self._look_after(wait)
                return
            elif self.under_way >= self.congestion.allowed:
                return
            else:
                self.under_way += 1
                self._line.popleft().set_result(None)

    def _look_after(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self.look)
