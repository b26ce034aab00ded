"""What a process knows of a database server that stands still: while it does, nothing else waits for it.

The first statement that gets no answer waits for the whole limit. If each request did, the requests of a few seconds would
occupy every thread and connection. So after the first one all others fail at once, until a probe in the background succeeds.
"""

import threading
from collections.abc import Callable

from promptuary.core.errors import Unavailable

PROBE_SECONDS = 0.5
"""The pause between two probes."""


class ServerOutage:
    """The state of one server, shared by all connections of the process; safe to use from several threads."""

    def __init__(self, probe: Callable[[], None]) -> None:
        """Store the probe, which raises while the server does not answer."""
        self._probe = probe
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._prober: threading.Thread | None = None

    def check(self) -> None:
        """Raise at once while the server stands still.

        Raises:
            Unavailable: the server has not answered, and no probe has succeeded since.
        """
        if self._prober is not None:
            raise Unavailable("the database does not answer; check that it runs, then try again")

    def report(self) -> None:
        """Begin an outage, unless there is one: a statement or a connection got no answer in time."""
        with self._lock:
            if self._prober is not None or self._closed.is_set():
                return
            self._prober = threading.Thread(target=self._wait_for_server, name="promptuary-database-probe", daemon=True)
            self._prober.start()
        _warn("the database does not answer; requests that need it are refused until it does")

    def close(self) -> None:
        """End the probes."""
        self._closed.set()
        with self._lock:
            prober = self._prober
        if prober is not None and prober is not threading.current_thread():
            prober.join()

    def _wait_for_server(self) -> None:
        while not self._closed.wait(PROBE_SECONDS):
            try:
                self._probe()
            except Exception:
                continue
            with self._lock:
                self._prober = None
            _warn("the database answers again")
            return


def _warn(event: str) -> None:
    import structlog  # most commands meet no outage, and its import takes longer than they do

    structlog.get_logger(__name__).warning(event)
