"""A child process of ours that answers each line with one line, and that is killed where it takes too long.

The child is no sandbox: what it runs can do what the user can whom this program runs as. What it does not get is this program's
memory and environment, so no key and no setting; and it cannot hang, crash or fill this program.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Timer(Protocol):
    """A timer as `threading.Timer`."""

    def start(self) -> None:
        """Begin to wait."""

    def cancel(self) -> None:
        """Stop waiting."""

    def join(self) -> None:
        """Wait until the callback, if it runs, has returned."""


def thread_timer(seconds: float, callback: Callable[[], None]) -> Timer:
    """Return a timer that calls back in a daemon thread."""
    timer = threading.Timer(seconds, callback)
    timer.daemon = True
    return timer


BuildTimer = Callable[[float, Callable[[], None]], Timer]


class ChildProcess:
    """A Python process that runs one script, isolated, in a folder and a process group of its own."""

    def __init__(self, script: Path, timer: BuildTimer = thread_timer) -> None:
        """Start the process.

        Args:
            script: the path of what it runs; it reads lines from standard input, and answers on standard output.
            timer: builds the timer of an exchange from its seconds and a callback.
        """
        folder = tempfile.TemporaryDirectory(prefix="promptuary-code-", ignore_cleanup_errors=True)
        self._timer = timer
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder.name,
            env={"PATH": os.defpath, "HOME": folder.name, "TMPDIR": folder.name, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        self._finalize: Callable[[], Any] = weakref.finalize(self, _end, self._process, folder)

    def exchange(self, request: bytes, seconds: float, limit: int) -> tuple[bytes, bool]:
        """Write a line and read one; return it, and whether the time was over, in which case the process was killed.

        Args:
            request: the line, with its end.
            seconds: how long the answer may take.
            limit: the most bytes of the answer. The line is empty, or without its end, where there is no whole answer.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.kill()

        timer = self._timer(seconds, expire)
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = process.stdout.readline(limit)
        except (OSError, ValueError):  # the process ended, or `close` closed its pipes
            line = b""
        finally:
            timer.cancel()
            timer.join()
        return line, expired.is_set()

    def kill(self) -> None:
        """Kill the process and its group, so that a waiting exchange ends."""
        kill_group(self._process)

    def close(self) -> None:
        """End the process, and whatever it started in its process group."""
        self._finalize()


class Killable(Protocol):
    """A process of `subprocess` or of `asyncio`, started as the leader of a group of its own."""

    @property
    def pid(self) -> int:
        """Its number, which is its group's too."""

    @property
    def returncode(self) -> int | None:
        """Its exit code; None as long as nobody has waited for it."""

    def kill(self) -> None:
        """Kill the process alone."""


def kill_group(process: Killable) -> None:
    """Kill a process and its group, unless it was waited for: after that its id may be another process's."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _end(process: subprocess.Popen[bytes], folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Kill a process, wait for it, and release its pipes and its folder."""
    kill_group(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    folder.cleanup()
