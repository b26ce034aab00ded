"""Connections to PostgreSQL whose waits end: a server that is stopped accepts a statement and never answers it.

The server's own timeouts end a statement that takes long, or waits for a lock; they cannot fire where the server itself stands
still, and nor can TCP's, as the kernel of its machine still acknowledges what is sent. So the client has a limit, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

CONNECT_SECONDS = 2
"""The time in which a server must accept a connection; libpq knows whole seconds, 2 at least."""
ANSWER_MARGIN_SECONDS = 0.5
"""How much longer the client waits than the server may take, so that a server that works reports the timeout itself."""


@dataclass(frozen=True)
class Timeouts:
    """The limits of a connection.

    Attributes:
        statement_seconds: how long the server may take for a statement; the client waits half a second longer.
    """

    statement_seconds: float

    @property
    def answer_seconds(self) -> float:
        """How long the client waits for the answer to a statement."""
        return self.statement_seconds + ANSWER_MARGIN_SECONDS

    def connection_arguments(self) -> dict[str, Any]:
        """Return libpq's parameters: the time to connect, and how a network that has vanished is noticed."""
        milliseconds = round(self.answer_seconds * 1000)
        keepalives = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
        return {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": milliseconds, **keepalives}

    def settings(self) -> str:
        """Return the statement that sets the server's limits; a lock is waited for a little less long than a statement."""
        milliseconds = round(self.statement_seconds * 1000)
        limits = {"statement_timeout": milliseconds, "lock_timeout": max(1, milliseconds - 250)}
        return "SELECT " + ", ".join(f"set_config('{name}', '{limit}', false)" for name, limit in limits.items())


PROBE_TIMEOUTS = Timeouts(1.0)
"""For a probe of a server that stood still: a server that works answers it in milliseconds."""


class TimedConnection(psycopg.Connection[Any]):
    """A connection that is closed, and raises, when the server does not answer in time."""

    answer_seconds: float | None = None
    on_silence: Callable[[], None] | None = None

    @classmethod
    def open(
        cls, timeouts: Timeouts, on_silence: Callable[[], None] | None, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> "TimedConnection":
        """Connect with limits.

        Args:
            timeouts: the limits.
            on_silence: called when the server does not answer in time, before the error is raised.
            arguments: as psycopg's `connect` takes them.
            options: likewise; they take precedence over the limits.

        Raises:
            OperationalError: when the server does not accept the connection in time, or refuses it.
        """
        try:
            connection = cls.connect(*arguments, **{**timeouts.connection_arguments(), **options})
        except errors.ConnectionTimeout:
            if on_silence is not None:
                on_silence()
            raise
        connection.answer_seconds, connection.on_silence = timeouts.answer_seconds, on_silence
        try:
            connection.execute(timeouts.settings())
            connection.commit()
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, for as long as the connection's limit.

        Raises:
            ServerSilent: after the limit; the connection is closed, as its answer may still come.
        """
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()
            if self.on_silence is not None:
                self.on_silence()
            raise ServerSilent(f"the server did not answer in {self.answer_seconds:g} s") from None


class ServerSilent(psycopg.OperationalError):
    """The server did not answer a statement in time."""
