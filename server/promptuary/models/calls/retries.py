"""Retries of failed calls: whether the same call may succeed later, when, and whether it may have been billed.

Providers' packages have their own error classes, over several HTTP libraries, and most of them are not installed. So the status
of an error, the names of its classes and the errors that it was raised from decide.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from promptuary.core.clock import wall_clock
from promptuary.core.errors import Unavailable

MAX_ATTEMPTS, MAX_REFUSALS = 3, 8
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
LONGEST_PAUSE = 300.0
_TRANSIENT = (408, 409, 425, 429)
_OVERLOADED = (429, 503, 529)
# Of httpx and httpx2, openai and similar packages, aiohttp, botocore.
_LOST = frozenset(
    {"TransportError", "APIConnectionError", "ClientConnectionError", "EndpointConnectionError", "HTTPClientError"}
)
_NEVER_SENT = frozenset(
    {
        *("ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"),
        *("ClientConnectorError", "EndpointConnectionError", "ConnectTimeoutError"),
    }
)


@dataclass
class Retries:
    """The failed attempts of one call: `MAX_ATTEMPTS` in all, and up to `MAX_REFUSALS` by an overloaded provider."""

    failures: int = 0
    refusals: int = 0

    def next_wait(self, error: Exception, jitter: Callable[[], float]) -> float | None:
        """Record a failed attempt, and return the seconds to wait before the next one; None if there is none.

        Args:
            error: what the attempt raised.
            jitter: returns a number in [0, 1) that spreads the exponential wait.
        """
        if not is_transient(error):
            return None
        if is_overloaded(error):
            self.refusals += 1
        else:
            self.failures += 1
        if self.failures == MAX_ATTEMPTS or self.refusals == MAX_REFUSALS:
            return None
        wait = min(FIRST_WAIT * 2.0 ** (self.failures + self.refusals - 1), LONGEST_WAIT) * jitter()
        pause = retry_after(error)
        return wait if pause is None else pause + min(wait, FIRST_WAIT)


def is_transient(error: BaseException | None) -> bool:
    """Return whether the same call may succeed later, by the error or by what it was raised from."""
    for cause in error_chain(error):
        if getattr(cause, "code", None) == "insufficient_quota":  # OpenAI's 429 for an account without money
            return False
        status = http_status(cause)
        if status is not None:
            return status in _TRANSIENT or status >= 500
        if getattr(cause, "is_permanent", False):  # of an error of ours
            return False
        if isinstance(cause, ConnectionError | TimeoutError | Unavailable) or _is_named(cause, _LOST):
            return True
        if isinstance(cause, RuntimeError) and str(cause) == "Event loop is closed":  # a connection that an earlier run left
            return True
    return False


def is_overloaded(error: BaseException | None) -> bool:
    """Return whether the provider reports that it gets too many requests."""
    return any(http_status(cause) in _OVERLOADED for cause in error_chain(error))


def may_be_billed(error: BaseException) -> bool:
    """Return whether the provider may bill a failed call: every call but those that were refused or never sent."""
    for cause in error_chain(error):
        status = http_status(cause)
        if status is not None:
            return not (400 <= status < 500 or status in _OVERLOADED) or status in (408, 499)
        if _is_named(cause, _NEVER_SENT):
            return False
    return True


def retry_after(error: BaseException | None, clock: Callable[[], datetime] = wall_clock) -> float | None:
    """Return the seconds that the provider asks to wait, by `Retry-After` or `retry-after-ms`, at most five minutes."""
    for cause in error_chain(error):
        headers: Any = getattr(getattr(cause, "response", None), "headers", None)
        if headers is None:
            continue
        for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
            seconds = _seconds(headers.get(name), unit, clock)
            if seconds is not None:
                return min(max(seconds, 0.0), LONGEST_PAUSE)
    return None


def _seconds(header: Any, unit: float, clock: Callable[[], datetime]) -> float | None:
    try:
        seconds = float(header) / unit
        return seconds if seconds == seconds else None
    except (TypeError, ValueError):
        pass
    try:
        timestamp = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return ((timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)) - clock()).total_seconds()


def error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status of a provider's error; None where it has none."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def _is_named(error: BaseException, names: frozenset[str]) -> bool:
    return any(base.__name__ in names for base in type(error).__mro__)
