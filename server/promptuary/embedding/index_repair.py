"""The rebuilding of index collections that have lost something: in the background, each by one thread at a time."""

import threading
import time
from collections.abc import Callable, Hashable

import structlog

PAUSE_SECONDS = 5.0
"""How long a repair that failed is not tried again."""
log = structlog.get_logger(__name__)


class IndexRepair:
    """One per process; safe to use from several threads."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._threads: dict[Hashable, threading.Thread] = {}
        self._paused_until: dict[Hashable, float] = {}
        self._closed = False

    def start(self, name: Hashable, rebuild: Callable[[], object]) -> None:
        """Rebuild in a thread, unless that is in progress or has just failed.

        Args:
            name: of what is rebuilt.
            rebuild: does it; may be called again when it has raised.
        """
        with self._lock:
            if self._closed or name in self._threads or time.monotonic() < self._paused_until.get(name, 0.0):
                return
            thread = threading.Thread(target=self._run, args=(name, rebuild), name="promptuary-index-repair", daemon=True)
            self._threads[name] = thread
            thread.start()  # under the lock: a thread that has not started cannot be waited for
        log.warning("the index has lost something; it is rebuilt, and queries search SQL meanwhile", index=str(name))

    def join(self) -> None:
        """Wait for every repair that is in progress."""
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Start no further repair, and wait for those in progress."""
        with self._lock:
            self._closed = True
        self.join()

    def _run(self, name: Hashable, rebuild: Callable[[], object]) -> None:
        try:
            rebuild()
            log.warning("the index is rebuilt", index=str(name))
        except Exception as error:
            self._paused_until[name] = time.monotonic() + PAUSE_SECONDS
            log.warning("the index could not be rebuilt", index=str(name), error=f"{type(error).__name__}: {error}"[:300])
        finally:
            with self._lock:
                del self._threads[name]
