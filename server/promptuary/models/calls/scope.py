"""The scope of all calls in a block: a time limit that pauses while calls wait for capacity, and whether they are sensitive."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType


class _TimeLimit:
    """A time limit that can be paused; several pauses at once count as one.

    Every case has one, and is paused several times. So a pause only moves the deadline: a timer that comes too early is set
    again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pauses = 0
        self._paused_at = 0.0
        self._ended = self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancellations = task, task.cancelling()
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._deadline, self._check)
        self._token: Token[_TimeLimit | None] = _time_limit.set(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _time_limit.reset(self._token)
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        # As `asyncio.timeout`: a cancellation from outside is none of this limit.
        if self._expired and self._task.uncancel() <= self._cancellations and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def pause(self) -> None:
        self._pauses += 1
        if self._pauses == 1:
            self._paused_at = self._loop.time()

    def resume(self) -> None:
        self._pauses -= 1
        if self._pauses == 0:
            self._deadline += self._loop.time() - self._paused_at
            if self._timer is None and not self._ended and not self._expired:
                self._timer = self._loop.call_at(self._deadline, self._check)

    def _check(self) -> None:
        """Cancel the task if its time is over; set the timer again if there was a pause, at its end if it is not over."""
        self._timer = None
        if self._pauses:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
            return
        self._expired = True
        self._task.cancel()


class _Pause:
    """A pause of a time limit, if there is one."""

    def __init__(self, limit: _TimeLimit | None) -> None:
        self._limit = limit

    def __enter__(self) -> None:
        if self._limit is not None:
            self._limit.pause()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._limit is not None:
            self._limit.resume()


_time_limit: ContextVar[_TimeLimit | None] = ContextVar("time_limit", default=None)
_sensitive: ContextVar[bool] = ContextVar("sensitive", default=False)


def time_limit(seconds: float) -> _TimeLimit:
    """Limit the time of an `async with` block as `asyncio.timeout` does, without the time in `time_limit_paused`.

    Raises:
        TimeoutError: when the time is over.
    """
    return _TimeLimit(seconds)


def time_limit_paused() -> _Pause:
    """Pause the time limit while the `with` block waits for a rate limit, a slot, the budget or a pause of the provider."""
    return _Pause(_time_limit.get())


def sensitive_calls(sensitive: bool) -> AbstractContextManager[None]:
    """Mark all calls of the block, those of tasks that it starts included, as sensitive: their responses are not cached.

    Args:
        sensitive: whether to mark them; if not, the block changes nothing.
    """
    return _marked_calls() if sensitive else nullcontext()


@contextmanager
def _marked_calls() -> Iterator[None]:
    token = _sensitive.set(True)
    try:
        yield
    finally:
        _sensitive.reset(token)


def calls_are_sensitive() -> bool:
    """Return whether the calls of this block are sensitive."""
    return _sensitive.get()
