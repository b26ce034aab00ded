"""What holds around all calls of one item: its time, in which waiting in line does not count, and whether words may be kept."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar


class _PausableTimeout:
    """A time limit that can stand still; several waits at once stop it once."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit = limit
        self._waits = 0
        self._left = 0.0

    def stop(self) -> None:
        self._waits += 1
        when = self._limit.when()
        if self._waits == 1 and when is not None:
            self._left = when - asyncio.get_running_loop().time()
            with suppress(RuntimeError):  # it has just run out
                self._limit.reschedule(None)

    def go_on(self) -> None:
        self._waits -= 1
        if self._waits == 0:
            with suppress(RuntimeError):  # it has run out, or its block has ended before this task has
                self._limit.reschedule(asyncio.get_running_loop().time() + self._left)


_time: ContextVar[_PausableTimeout | None] = ContextVar("time", default=None)
_discreet: ContextVar[bool] = ContextVar("discreet", default=False)


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """Limit the block's time as `asyncio.timeout` does, but for what it waits `time_limit_paused`.

    Raises:
        TimeoutError: when the time is over.
    """
    async with asyncio.timeout(seconds) as limit:
        token = _time.set(_PausableTimeout(limit))
        try:
            yield
        finally:
            _time.reset(token)


@contextmanager
def time_limit_paused() -> Iterator[None]:
    """Let no time pass while the block waits for a rate, a place, a pause that was asked for, or for money."""
    time = _time.get()
    if time is None:
        yield
        return
    time.stop()
    try:
        yield
    finally:
        time.go_on()


@contextmanager
def sensitive_calls(discreet: bool) -> Iterator[None]:
    """Say for all calls of the block, those of tasks that it starts too, whether their words must not be kept."""
    token = _discreet.set(discreet or _discreet.get())
    try:
        yield
    finally:
        _discreet.reset(token)


def calls_are_sensitive() -> bool:
    """Tell whether words of this block's calls must not be kept."""
    return _discreet.get()
