"""Runs brought to MLflow by a process beside this one: it imports MLflow, which takes a second, while the run is being done."""

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
    """Give what delivers all that is due and returns when that has been tried; None where a server does it.

    The process ends with the block, or as soon as this one is gone. What it did not deliver stays due.
    """
    if os.environ.get("PROMPTUARY_URL") or not _installed():
        yield None
        return
    # A session of its own: Ctrl-C is for this process, whose end the other sees by its input.
    process = subprocess.Popen(
        [sys.executable, "-m", "promptuary.worker.mlflow_delivery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, told = process.stdin, process.stdout

    def deliver() -> None:
        with suppress(OSError):  # it is gone
            asked.write(b"\n")
            asked.flush()
            told.readline()

    try:
        yield deliver
    finally:
        with suppress(OSError):
            asked.close()
        if not select.select([told], [], [], PATIENCE_SECONDS)[0]:  # neither an answer nor its end
            process.kill()
        told.close()
        process.wait()


def _installed() -> bool:
    try:
        return importlib.util.find_spec("mlflow") is not None
    except ModuleNotFoundError:
        return False
