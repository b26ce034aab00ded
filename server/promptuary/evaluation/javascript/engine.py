"""The engine of JavaScript: a few child processes that run scripts, each in a fresh context, and are killed at a deadline.

The engine is quickjs-ng. It runs in processes of its own everywhere, because some of its built-in functions do not look at its
limit of time: `new Array(1e9).join()` took a minute under a limit of a second.
"""

import asyncio
import importlib.util
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from promptuary.core.errors import Unavailable
from promptuary.evaluation.child_process import BuildTimer, ChildProcess, thread_timer
from promptuary.evaluation.javascript.script import (
    JavaScriptStopped,
    JavaScriptThrew,
    Script,
    ScriptRequest,
    ScriptValue,
    parse_answer,
)
from promptuary.models.calls.scope import time_limit_paused

ANSWER_LIMIT = 8 * 1024 * 1024
PROCESSES = 4
_CHILD = Path(__file__).with_name("engine_main.py")


@dataclass(frozen=True)
class EngineLimits:
    """The limits of one script.

    Attributes:
        seconds: of processor time, over all its promises.
        memory: in bytes, of the script's own objects.
        deadline: seconds after which its process is killed, whatever it does.
    """

    seconds: float = 1.0
    memory: int = 64 * 1024 * 1024
    deadline: float = 30.0


class JavaScriptEngine:
    """Runs scripts in child processes, which start at the first script; safe to call from several threads and event loops."""

    def __init__(
        self,
        limits: EngineLimits = EngineLimits(),
        processes: int = 0,
        timer: BuildTimer = thread_timer,
    ) -> None:
        """Prepare the engine without starting it.

        Args:
            limits: of each script.
            processes: the most child processes; 0 for one a processor, at most `PROCESSES`.
            timer: builds the timer of a script from its seconds and a callback.
        """
        self._limits, self._timer = limits, timer
        self._count = processes or min(PROCESSES, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._children: list[ChildProcess] = []
        self._idle: list[ChildProcess] = []
        self._closed = False

    async def call(self, script: Script, values: Sequence[Any] = ()) -> ScriptValue:
        """Run a script in one of the engine's threads, as `run`.

        The caller's time limit pauses: a script waits for others, and has limits of its own.
        """
        with time_limit_paused():
            return await asyncio.wrap_future(self._threads.submit(self.run, script, values))

    def run(self, script: Script, values: Sequence[Any] = ()) -> ScriptValue:
        """Run a script on values, and return what it returned once its promises are settled.

        Args:
            script: the function.
            values: of its parameters, as JSON; numbers need not be finite.

        Raises:
            JavaScriptThrew: for an error in the script, also one of its syntax.
            JavaScriptStopped: where a limit stopped it, or a promise is never settled.
            Unavailable: where the engine is not installed.
        """
        return self._exchange(self._request(script, values, check=False))

    def syntax_error(self, script: Script) -> str | None:
        """Return why a script is no JavaScript, or exports no such function; None where it is and does."""
        try:
            self._exchange(self._request(script, (), check=True))
        except (JavaScriptThrew, JavaScriptStopped) as error:
            return error.message.removeprefix("the JavaScript threw ")
        return None

    def close(self) -> None:
        """End the processes; a script that is running fails."""
        with self._lock:
            self._closed = True
            children, self._children, self._idle = self._children, [], []
        for child in children:
            child.kill()
        if "_threads" in self.__dict__:
            self._threads.shutdown(cancel_futures=True)
        for child in children:
            child.close()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._count, thread_name_prefix="javascript")

    def _request(self, script: Script, values: Sequence[Any], *, check: bool) -> ScriptRequest:
        return ScriptRequest(script, values, check, self._limits.seconds, self._limits.memory)

    def _exchange(self, request: ScriptRequest) -> ScriptValue:
        text = request.line()
        child = self._take()
        line, expired = child.exchange(text, self._limits.deadline, ANSWER_LIMIT)
        if expired or not line.endswith(b"\n"):
            self._drop(child)
            reason = f"it gave no answer within {self._limits.deadline:g} seconds" if expired else "its process ended"
            raise JavaScriptStopped(f"the JavaScript was stopped: {reason}, at a limit of time or memory")
        self._give_back(child)
        try:
            return parse_answer(json.loads(line)["answer"])
        except (ValueError, KeyError, TypeError, RecursionError):  # a script can change how its own result is written
            raise JavaScriptStopped("the JavaScript was stopped: what it returned cannot be read as JSON") from None

    def _take(self) -> ChildProcess:
        with self._lock:
            if self._closed:
                raise JavaScriptStopped("the JavaScript was stopped: its engine is closed")
            if self._idle:
                return self._idle.pop()
            if importlib.util.find_spec("quickjs") is None:
                raise Unavailable("JavaScript needs the package quickjs-ng: pip install 'promptuary[evaluation]'")
            child = ChildProcess(_CHILD, self._timer)
            self._children.append(child)
            return child

    def _give_back(self, child: ChildProcess) -> None:
        with self._lock:
            if child in self._children:
                self._idle.append(child)

    def _drop(self, child: ChildProcess) -> None:
        with self._lock:
            if child in self._children:
                self._children.remove(child)
        child.close()
