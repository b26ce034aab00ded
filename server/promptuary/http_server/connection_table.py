"""The open connections of a server: their limit, and a look at each of them twice a second, instead of a timer for each."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Set
from typing import Any, Protocol

from promptuary.http_server.limits import REFUSAL_ROOM, ConnectionLimits

log = logging.getLogger(__name__)
SWEEP_SECONDS = 0.5
EVICTION_AGE_SECONDS = 1.0
_LOG_SECONDS = 10.0


class OpenConnection(Protocol):
    """A connection as the table sees it."""

    def check(self, now: float) -> None:
        """End the connection if it is over one of its times."""

    def idle_since(self) -> float | None:
        """Return since when the connection waits for a request; None where it may not be closed for another one."""

    def evict(self) -> None:
        """Close the connection, for another one."""


class ConnectionTable:
    """The connections of one server, on its event loop.

    Where all are taken, a new connection replaces one that has waited for a second or more and never sent a valid key, the one
    that has waited longest. So clients that only open connections do not keep others out. If there is none, the new connection
    is refused.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        """Store the limits; nothing is open yet."""
        self.limits = limits
        self.refusals: Counter[str] = Counter()
        self._connections: Set[Any] = set()
        self._evictable: deque[OpenConnection] = deque()
        self._logged_at: dict[str, float] = {}
        self._is_sweeping = False

    def has_room(self, pending: int = 0) -> bool:
        """Return whether one more connection can be opened, if only to be refused with a message."""
        return len(self._connections) + pending < self.limits.connections + REFUSAL_ROOM

    def admit(self, connections: Set[Any], loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether a connection that was just opened may stay.

        Args:
            connections: all open ones, with the new one.
            loop: the server's.
        """
        self._connections = connections
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return len(connections) <= self.limits.connections or self._evict()

    def count_refusal(self, code: str, loop: asyncio.AbstractEventLoop) -> None:
        """Count a refusal by its code, and log the first of each code in ten seconds."""
        self.refusals[code] += 1
        now = loop.time()
        if now - self._logged_at.get(code, float("-inf")) >= _LOG_SECONDS:
            self._logged_at[code] = now
            log.warning("a connection or request was refused: %s (%d in all)", code, self.refusals[code])

    def _evict(self) -> bool:
        while self._evictable:
            connection = self._evictable.popleft()
            if connection in self._connections and connection.idle_since() is not None:
                connection.evict()
                return True
        return False

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._connections):
            check: Callable[[float], None] | None = getattr(connection, "check", None)
            if check is not None:  # a WebSocket has none
                check(now)
        self._evictable = deque(self._find_evictable(now))
        self._is_sweeping = bool(self._connections)
        if self._is_sweeping:
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def _find_evictable(self, now: float) -> list[OpenConnection]:
        """Return the connections that may be closed for others, by their waiting time; none where a tenth is free."""
        if len(self._connections) < self.limits.connections * 0.9:
            return []
        waiting = []
        for connection in self._connections:
            idle_since = connection.idle_since() if hasattr(connection, "idle_since") else None
            if idle_since is not None and now - idle_since >= EVICTION_AGE_SECONDS:
                waiting.append((idle_since, id(connection), connection))
        return [connection for _, _, connection in sorted(waiting)]
