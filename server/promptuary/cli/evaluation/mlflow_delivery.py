"""Delivery of runs to MLflow by a second process: it imports MLflow, which takes a second, while the run is executed."""

import importlib.util
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE_SECONDS = 2.0


@contextmanager
def mlflow_delivery() -> Iterator[Callable[[], None] | None]:
    """Yield a function that delivers all that is due and returns when that was tried; None where a server delivers.

    The process ends with the block, or as soon as this process ends. What it did not deliver stays due.
    """
    if os.environ.get("PROMPTUARY_URL") or not _installed():
        yield None
        return
    # In its own session: Ctrl-C is for this process, whose end the other notices by the end of its input.
    process = subprocess.Popen(
        [sys.executable, "-m", "promptuary.worker.mlflow_delivery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    requests, replies = process.stdin, process.stdout
    delivering = False

    def deliver() -> None:
        nonlocal delivering
        delivering = True
        with suppress(OSError):  # it has ended
            requests.write(b"\n")
            requests.flush()
            replies.readline()
        delivering = False

    try:
        yield deliver
    finally:
        with suppress(OSError):
            requests.close()
        if delivering:  # interrupted: a delivery that is nearly done may end
            select.select([replies], [], [], PATIENCE_SECONDS)
        process.kill()  # between deliveries it does nothing but import MLflow
        replies.close()
        process.wait()


def _installed() -> bool:
    try:
        return importlib.util.find_spec("mlflow") is not None
    except ModuleNotFoundError:
        return False
