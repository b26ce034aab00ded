"""Ctrl-C, SIGTERM and the end of the terminal while a run is followed: the run stops in order, and can be resumed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunInterrupted(Exception):
    """The user stopped the run that the command followed."""


class Interruption:
    """Turns signals into a KeyboardInterrupt, as Ctrl-C does, but not while something must come to its end.

    Attributes:
        requested: is set by the first signal.
    """

    def __init__(self) -> None:
        """Start without a signal."""
        self.requested = threading.Event()
        self._deferred = self._ignored = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Run a block that watches `requested` itself; a second signal ends it at once. Interrupt after its end."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested.is_set():
            raise KeyboardInterrupt

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """Run a block to its end, whatever signals come."""
        self._ignored = True
        try:
            yield
        finally:
            self._ignored = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        first = not self.requested.is_set()
        self.requested.set()
        if not self._ignored and not (self._deferred and first):
            raise KeyboardInterrupt


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Handle signals while the block runs; a signal that the process ignores stays ignored, as under nohup."""
    handler = Interruption()
    main = threading.current_thread() is threading.main_thread()  # only there, handlers can be set
    handled = [number for number in _SIGNALS if main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler.note) for number in handled}
    try:
        yield handler
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
