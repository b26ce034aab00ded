"""What a failed call tells: whether the same may succeed later, when, and whether it may have been paid for.

Providers' packages have error classes of their own, over several HTTP libraries, most of which are not installed: an error is
known by its status, or by the names of its classes, and so is whatever it was raised from.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from promptuary.core.clock import wall_clock
from promptuary.core.errors import Unavailable

LONGEST_PAUSE = 300.0
_TRANSIENT = (408, 409, 425, 429)
_OVERLOADED = (429, 503, 529)
# Of httpx and httpx2, openai and its like, aiohttp, botocore.
_LOST = frozenset(
    {"TransportError", "APIConnectionError", "ClientConnectionError", "EndpointConnectionError", "HTTPClientError"}
)
_NEVER_SENT = frozenset(
    {
        *("ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"),
        *("ClientConnectorError", "EndpointConnectionError", "ConnectTimeoutError"),
    }
)


def is_transient(error: BaseException | None) -> bool:
    """Tell whether the same call may succeed a little later: by what it raised, or what that was raised from."""
    for one in _chain(error):
        if getattr(one, "code", None) == "insufficient_quota":  # OpenAI's 429 for an account without money
            return False
        status = _status(one)
        if status is not None:
            return status in _TRANSIENT or status >= 500
        if isinstance(one, ConnectionError | TimeoutError | Unavailable) or _named(one, _LOST):
            return True
        if isinstance(one, RuntimeError) and str(one) == "Event loop is closed":  # a connection that an earlier run left
            return True
    return False


def is_overloaded(error: BaseException | None) -> bool:
    """Tell whether the provider says that it is asked too much."""
    return any(_status(one) in _OVERLOADED for one in _chain(error))


def may_be_billed(error: BaseException) -> bool:
    """Tell whether a call that failed so may have been paid for: all but what was refused, or never sent."""
    for one in _chain(error):
        status = _status(one)
        if status is not None:
            return not (400 <= status < 500 or status in _OVERLOADED) or status in (408, 499)
        if _named(one, _NEVER_SENT):
            return False
    return True


def retry_after(error: BaseException | None, clock: Callable[[], datetime] = wall_clock) -> float | None:
    """Give the seconds that the provider asks to wait, by `Retry-After` or `retry-after-ms`, at most five minutes."""
    for one in _chain(error):
        headers: Any = getattr(getattr(one, "response", None), "headers", None)
        if headers is None:
            continue
        for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
            seconds = _seconds(headers.get(name), unit, clock)
            if seconds is not None:
                return min(max(seconds, 0.0), LONGEST_PAUSE)
    return None


def _seconds(told: Any, unit: float, clock: Callable[[], datetime]) -> float | None:
    try:
        seconds = float(told) / unit
        return seconds if seconds == seconds else None
    except (TypeError, ValueError):
        pass
    try:
        moment = parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - clock()).total_seconds()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def _named(error: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)
