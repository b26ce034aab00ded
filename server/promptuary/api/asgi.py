"""What the middleware and the lookup's fast path share: ASGI types, the Host allow-list, request ids and security headers."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
_CACHED_HEADERS = 64


class HostAllowList:
    """The host names that requests may be sent to; some allowed headers are cached by their bytes."""

    def __init__(self, names: frozenset[str]) -> None:
        """Keep the allowed names; each is allowed with every port."""
        self._names = names
        self._allowed_headers: set[bytes] = set()

    def allows(self, header: bytes) -> bool:
        """Return whether a request with this Host header is answered."""
        if header in self._allowed_headers:
            return True
        host = header.decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in self._names:
            return False
        if len(self._allowed_headers) < _CACHED_HEADERS:
            self._allowed_headers.add(header)
        return True


class RequestIds:
    """Returns an id of 32 hexadecimal digits for each request: 16 random ones of the process, then a count. Not a secret."""

    def __init__(self) -> None:
        """Draw the random digits of this process."""
        self._process = secrets.token_hex(8)
        self._numbers = count(1)

    def __call__(self) -> str:
        """Return the next id."""
        return f"{self._process}{next(self._numbers):016x}"
