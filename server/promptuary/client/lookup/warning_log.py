"""Warnings for the operator, each reported once until what caused it is well again."""

import threading
from collections.abc import Callable


class WarningLog:
    """Reports a message once per subject. It is safe to use from several threads."""

    def __init__(self, report: Callable[[str], None], limit: int = 10_000) -> None:
        """Report by `report`, and remember at most `limit` messages; beyond that nothing more is reported."""
        self._report = report
        self._limit = limit
        self._reported: set[tuple[object, str]] = set()
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Replace the lock: a thread that this process does not have may own the old one."""
        self._lock = threading.Lock()

    def warn(self, subject: object, message: str, text: str | None = None) -> None:
        """Report a message, unless it was reported for this subject before.

        Args:
            subject: what the message is about; anything hashable.
            message: what to report, and what makes it the same as an earlier one.
            text: the sentence to write in its place, with more detail.
        """
        with self._lock:
            is_new = (subject, message) not in self._reported and len(self._reported) < self._limit
            if is_new:
                self._reported.add((subject, message))
        if is_new:
            self._report(message if text is None else text)

    def clear(self, subject: object) -> None:
        """Clear what was reported for a subject: it works again, so the next problem is reported."""
        if self._reported:
            with self._lock:
                self._reported = {reported for reported in self._reported if reported[0] != subject}
