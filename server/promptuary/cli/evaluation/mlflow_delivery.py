"""Delivery of runs to MLflow by a second process: importing MLflow takes as long as running a thousand cases."""

import importlib.util
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE_SECONDS = 2.0
_COMMAND = (sys.executable, "-m", "promptuary.worker.mlflow_delivery")


@contextmanager
def mlflow_delivery() -> Iterator[Callable[[], None] | None]:
    """Yield a function that delivers all that is due; None where a server delivers. What is not delivered stays due.

    To MLflow's database in the data directory, a process delivers that outlives this one: the function returns at once. To
    another MLflow, a process delivers that was started with the block, and the function returns when that was tried: a
    machine of CI may be gone soon after, with all that is due.
    """
    if os.environ.get("PROMPTUARY_URL") or not _installed():
        yield None
    elif _is_embedded():
        yield deliver_in_background
    else:
        with _attached_delivery() as deliver:
            yield deliver


def deliver_in_background() -> None:
    """Start a process that delivers once and ends; it has no part in this process's output, signals or end."""
    with suppress(OSError):
        process = subprocess.Popen(
            [*_COMMAND, "--once"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.returncode = 0  # nobody waits for it


@contextmanager
def _attached_delivery() -> Iterator[Callable[[], None]]:
    """Yield the function of a process that ends with the block, or as soon as this process ends."""
    # In its own session: Ctrl-C is for this process, whose end the other notices by the end of its input.
    process = subprocess.Popen(
        _COMMAND,
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


def _is_embedded() -> bool:
    """Return whether MLflow's database is in the data directory."""
    from promptuary.core.settings import read_settings

    with suppress(Exception):  # the command reports settings that cannot be read
        return read_settings().mlflow_tracking_uri is None
    return False


def _installed() -> bool:
    try:
        return importlib.util.find_spec("mlflow") is not None
    except ModuleNotFoundError:
        return False
