"""A child process that runs an application's function; several calls at once where the function is `async`.

The process is no sandbox: the function can do what the user can whom this process runs as. What it does not get is this
program's memory and environment, but for the variables that the suite names.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promptuary.evaluation.applications.function_source import FunctionSource
from promptuary.evaluation.child_process import kill_group
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable

LINE_LIMIT = 8 * 1024 * 1024
START_SECONDS = 120.0
END_SECONDS = 2.0
_CHILD = Path(__file__).with_name("child_main.py")


@dataclass
class FunctionProcess:
    """A process that runs one function, started by `start`.

    Attributes:
        source: of the function.
        folders: where modules are, beside the installed ones.
        environment: the variables that the process gets.
        concurrent: whether calls may overlap; known once it has started.
    """

    source: FunctionSource
    folders: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    concurrent: bool = False
    _process: Process | None = None
    _folder: "TemporaryDirectory[str] | None" = None
    _reader: "asyncio.Task[None] | None" = None
    _pending: dict[int, "asyncio.Future[JsonObject]"] = field(default_factory=dict)
    _calls: int = 0

    @property
    def alive(self) -> bool:
        """Whether the process can take calls."""
        return self._process is not None and self._process.returncode is None and not (self._reader and self._reader.done())

    async def start(self) -> None:
        """Start the process and load the function.

        Raises:
            ApplicationUnusable: for code or a module that cannot be loaded.
        """
        self._folder = TemporaryDirectory(prefix="promptuary-function-", ignore_cleanup_errors=True)
        own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self._folder.name, "TMPDIR": self._folder.name}
        own |= {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-X", "utf8", str(_CHILD)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=self.folders[0] if self.folders else self._folder.name,
            env={**own, **self.environment},
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read())
        source = self.source
        first = {"file": source.file, "module": source.module, "function": source.function, "code": source.code}
        try:
            async with asyncio.timeout(START_SECONDS):
                response = await self._request({**first, "folders": list(self.folders)})
        except TimeoutError:
            raise ApplicationUnusable(f"{source.label} did not load within {START_SECONDS:g} seconds") from None
        except ApplicationFailed as error:
            raise ApplicationUnusable(f"{source.label} cannot be loaded: {error}") from None
        self.concurrent = bool(response["concurrent"])

    async def call(self, arguments: Sequence[Any]) -> Any:
        """Call the function, and return what it returned, as JSON.

        A call that is cancelled ends the process of a function that is not `async`, for nothing else can stop it.

        Raises:
            ApplicationFailed: for an exception in the function, or a process that ended.
        """
        try:
            return await self._request({"arguments": list(arguments)})
        except asyncio.CancelledError:
            if not self.concurrent:
                await self.close()
            raise

    async def close(self) -> None:
        """End the process, and whatever it started in its process group."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process)
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=END_SECONDS)  # to the end of the pipe, unless a grandchild has it open
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _request(self, body: JsonObject) -> Any:
        process = self._process
        if process is None or process.stdin is None:
            raise ApplicationFailed(f"the process of {self.source.label} has ended")
        self._calls += 1
        number, future = self._calls, asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            process.stdin.write(json.dumps({"id": number, **body}).encode() + b"\n")
            with contextlib.suppress(ConnectionError):  # its end is noticed by the reader
                await process.stdin.drain()
            response = await future
        finally:
            self._pending.pop(number, None)
        if "error" in response:
            raise ApplicationFailed(f"{self.source.label} raised {response['error']}")
        return response.get("value")

    async def _read(self) -> None:
        """Resolve each call with its response; when the process ends, no pending call waits any longer."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                response = json.loads(line)
                future = self._pending.get(response["id"])
                if future is not None and not future.done():
                    future.set_result(response)
        except (ValueError, KeyError, TypeError):  # the function wrote into the pipe, or a line that is too long
            pass
        finally:
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(
                        ApplicationFailed(f"the process of {self.source.label} ended, or wrote something else")
                    )
