"""Wait for another thread, process or server, with a deadline that no slow machine reaches."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0
_PAUSE_SECONDS = 0.005


def eventually(condition: Callable[[], bool]) -> bool:
    """Return True as soon as the condition is true; False when it is still false after a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
