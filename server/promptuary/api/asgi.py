"""What both ways through the edge share: the ASGI types, the Host allow-list, request ids, and the headers on every answer."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
_REMEMBERED = 64


class HostAllowList:
    """The Host headers that are taken; some that were taken before are known by their bytes."""

    def __init__(self, names: frozenset[str]) -> None:
        """Keep the names that are answered for, whatever the port."""
        self._names = names
        self._taken: set[bytes] = set()

    def take(self, header: bytes) -> bool:
        """Tell whether a request with this header is answered."""
        if header in self._taken:
            return True
        host = header.decode("latin-1")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in self._names:
            return False
        if len(self._taken) < _REMEMBERED:
            self._taken.add(header)
        return True


class RequestIds:
    """Gives each request 32 hexadecimal digits: 16 drawn for the process, then a count. Unique, and cheap; not a secret."""

    def __init__(self) -> None:
        """Draw what tells this process from every other."""
        self._process = secrets.token_hex(8)
        self._numbers = count(1)

    def __call__(self) -> str:
        """Give the next id."""
        return f"{self._process}{next(self._numbers):016x}"
