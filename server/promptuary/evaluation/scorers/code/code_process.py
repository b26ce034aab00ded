"""A child process that runs one scorer's code.

The process is no sandbox: the code can do what the user can whom the worker runs as. What it does not get is this program's
memory and environment, so no key and no setting; and it cannot hang, crash or fill the worker.
"""

import asyncio
import contextlib
import json
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

from promptuary.core.errors import Unavailable
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.code.code_source import CodeSource

RESPONSE_LIMIT = 1024 * 1024
CALL_SECONDS = 30.0
POLL_SECONDS = 0.05
PROCESS_LIMIT = 8
_CHILD = Path(__file__).with_name("child_main.py")


class CodeFailed(Unavailable):
    """A suite's own code raised, hung, ended its process, or returned what is no score."""

    code = "code_failed"


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


class CodeProcess:
    """A process that runs one scorer's code, started at the first call and again after it was killed."""

    def __init__(
        self,
        source: CodeSource,
        seconds: float = CALL_SECONDS,
        timer: Callable[[float, Callable[[], None]], Timer] = thread_timer,
    ) -> None:
        """Prepare the process without starting it.

        Args:
            source: the code.
            seconds: how long one call may take.
            timer: builds the timer of a call from its seconds and a callback.
        """
        self._source, self._seconds, self._timer = source, seconds, timer
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalize: Callable[[], Any] = lambda: None
        self._calls = 0

    async def call(self, output: str, context: JsonObject) -> Any:
        """Run the code on an output, one call at a time, and return what it returned, as JSON.

        Raises:
            CodeFailed: for an exception in the code, no response in time, or a process that ended.
        """
        async with self._lock:
            self._end_idle_processes()
            work = asyncio.create_task(asyncio.to_thread(self._call, output, context))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                while not work.done():
                    _kill(self._process)
                    await asyncio.wait([work], timeout=POLL_SECONDS)
                work.cancelled() or work.exception()
                raise

    def close(self) -> None:
        """End the process, and whatever it started in its process group."""
        self._finalize()
        self._process = None

    @property
    def _busy(self) -> bool:
        return self._lock.locked()

    def _end_idle_processes(self) -> None:
        """End the processes that were idle the longest where many are alive, because cases may have hundreds of codes."""
        loop = asyncio.get_running_loop()
        known = [process for reference in _PROCESSES.get(loop, ()) if (process := reference()) is not None]
        others = [process for process in known if process is not self and (process._process is not None or process._busy)]
        idle = [process for process in others if not process._busy]
        for process in idle[: max(0, len(others) + 1 - PROCESS_LIMIT)]:
            process.close()
            others.remove(process)
        _PROCESSES[loop] = [weakref.ref(process) for process in (*others, self)]

    def _call(self, output: str, context: JsonObject) -> Any:
        if self._process is None:
            self._start()
        self._calls += 1
        return self._request(self._calls, {"output": output, "context": context, "seconds": self._seconds})

    def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="promptuary-code-", ignore_cleanup_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder.name,
            env={"PATH": os.defpath, "HOME": folder.name, "TMPDIR": folder.name, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        self._process, self._calls = process, 0
        self._finalize = weakref.finalize(self, _end, process, folder)
        source = self._source
        try:
            self._request(0, {"module": source.module, "function": source.function, "code": source.source})
        except CodeFailed:
            self.close()
            raise

    def _request(self, number: int, body: JsonObject) -> Any:
        """Send a request and return the response's value; end a process that does not respond as it should.

        Raises:
            CodeFailed: as `call`.
        """
        line, expired = self._exchange(json.dumps({"id": number, **body}, ensure_ascii=True).encode() + b"\n")
        response = _parse_response(line, number)
        if expired:
            self.close()
            raise CodeFailed(f"the code gave no answer within {self._seconds:g} seconds")
        if response is None:
            self.close()
            raise CodeFailed("the code's process ended, or answered something else")
        if "error" in response:
            raise CodeFailed(f"the code raised {response['error']}")
        return response.get("value")

    def _exchange(self, request: bytes) -> tuple[bytes, bool]:
        """Write a line and read one; return it, and whether the time was over, in which case the process was killed."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _kill(process)

        timer = self._timer(self._seconds, expire)
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = process.stdout.readline(RESPONSE_LIMIT)
        except (OSError, ValueError):  # the process ended, or `close` closed its pipes
            line = b""
        finally:
            timer.cancel()
            timer.join()
        return line, expired.is_set()


_PROCESSES: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[weakref.ref[CodeProcess]]]"
_PROCESSES = weakref.WeakKeyDictionary()
"""The processes of each event loop, the one that was idle the longest first."""


def _parse_response(line: bytes, number: int) -> JsonObject | None:
    """Parse a response; None for what is none, or the response to another request."""
    if not line.endswith(b"\n"):
        return None
    try:
        response = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return response if isinstance(response, dict) and response.get("id") == number else None


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and its group, unless it was waited for: after that its id may be another process's."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _end(process: subprocess.Popen[bytes], folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Kill a process, wait for it, and release its pipes and its folder."""
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    folder.cleanup()
