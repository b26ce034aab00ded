"""A worker ends when it is asked to, whatever it is doing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# A thread that has locked a mutex of C twice runs no Python any more, and no signal wakes it.
STUCK = """
import ctypes, os, sys
from promptuary.cli.service import commands
from promptuary.worker.loop import Worker

def wait_for_ever(*_):
    os.write(1, b"stuck\\n")  # several threads write, each a whole line
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    for _ in range(2):
        library.pthread_mutex_lock(mutex)

setattr(Worker, sys.argv[1], wait_for_ever)
commands.worker()
"""


@pytest.mark.acceptance
@pytest.mark.parametrize("method", ["work", "deliver"])
def test_a_worker_that_is_stuck_ends_after_sigterm(method: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(tmp_path / "data")}
    with subprocess.Popen([sys.executable, "-c", STUCK, method], env=environment, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == b"stuck\n"
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()
