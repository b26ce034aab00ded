"""The scope of all calls in a block: a time limit that pauses while calls wait for capacity, and whether they are sensitive."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar


class _PausableTimeout:
    """A timeout that can be paused; several pauses at once count as one."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._pauses = 0
        self._remaining = 0.0

    def pause(self) -> None:
        self._pauses += 1
        when = self._timeout.when()
        if self._pauses == 1 and when is not None:
            self._remaining = when - asyncio.get_running_loop().time()
            with suppress(RuntimeError):  # it has just expired
                self._timeout.reschedule(None)

    def resume(self) -> None:
        self._pauses -= 1
        if self._pauses == 0:
            with suppress(RuntimeError):  # it has expired, or its block has ended before this task has
                self._timeout.reschedule(asyncio.get_running_loop().time() + self._remaining)


_timeout: ContextVar[_PausableTimeout | None] = ContextVar("timeout", default=None)
_sensitive: ContextVar[bool] = ContextVar("sensitive", default=False)


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """Limit the time of the block as `asyncio.timeout` does, without the time in `time_limit_paused`.

    Raises:
        TimeoutError: when the time is over.
    """
    async with asyncio.timeout(seconds) as timeout:
        token = _timeout.set(_PausableTimeout(timeout))
        try:
            yield
        finally:
            _timeout.reset(token)


@contextmanager
def time_limit_paused() -> Iterator[None]:
    """Pause the time limit while the block waits for a rate limit, a slot, the budget or a pause of the provider."""
    timeout = _timeout.get()
    if timeout is None:
        yield
        return
    timeout.pause()
    try:
        yield
    finally:
        timeout.resume()


@contextmanager
def sensitive_calls(sensitive: bool) -> Iterator[None]:
    """Mark all calls of the block, those of tasks that it starts included, as sensitive: their responses are not cached."""
    token = _sensitive.set(sensitive or _sensitive.get())
    try:
        yield
    finally:
        _sensitive.reset(token)


def calls_are_sensitive() -> bool:
    """Return whether the calls of this block are sensitive."""
    return _sensitive.get()
