"""A child process that runs one scorer's code, as `child_process` runs any script of ours."""

import asyncio
import json
import weakref
from pathlib import Path
from typing import Any

from promptuary.core.errors import Unavailable
from promptuary.evaluation.child_process import BuildTimer, ChildProcess, thread_timer
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


class CodeProcess:
    """A process that runs one scorer's code, started at the first call and again after it was killed."""

    def __init__(
        self,
        source: CodeSource,
        seconds: float = CALL_SECONDS,
        timer: BuildTimer = thread_timer,
    ) -> None:
        """Prepare the process without starting it.

        Args:
            source: the code.
            seconds: how long one call may take.
            timer: builds the timer of a call from its seconds and a callback.
        """
        self._source, self._seconds, self._timer = source, seconds, timer
        self._lock = asyncio.Lock()
        self._process: ChildProcess | None = None
        self._calls = 0

    async def call(self, output: Any, context: JsonObject) -> Any:
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
                    if self._process is not None:
                        self._process.kill()
                    await asyncio.wait([work], timeout=POLL_SECONDS)
                work.cancelled() or work.exception()
                raise

    def close(self) -> None:
        """End the process, and whatever it started in its process group."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

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

    def _call(self, output: Any, context: JsonObject) -> Any:
        if self._process is None:
            self._start()
        self._calls += 1
        return self._request(self._calls, {"output": output, "context": context, "seconds": self._seconds})

    def _start(self) -> None:
        self._process, self._calls = ChildProcess(_CHILD, self._timer), 0
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
        process = self._process
        assert process is not None
        request = json.dumps({"id": number, **body}, ensure_ascii=True).encode() + b"\n"
        line, expired = process.exchange(request, self._seconds, RESPONSE_LIMIT)
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
