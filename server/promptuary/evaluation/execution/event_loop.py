"""The event loop of an execution, uvloop's where it is installed, with rare collections of garbage."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")
NEW_OBJECTS = 50_000
"""How many new objects there may be before the youngest are collected.

Hundreds of cases in flight have tens of thousands of objects that are soon freed without a collector. With Python's own number,
700, each of them is looked at again and again.
"""


def run_execution(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run a coroutine to its end in an event loop of its own, and return what it returns."""
    with rare_collections(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Keep garbage collections of the block from what exists already, and collect new objects less often."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(NEW_OBJECTS, thresholds[0]) if thresholds[0] else 0, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what opens a loop of uvloop; None for Python's own, as on Windows."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
