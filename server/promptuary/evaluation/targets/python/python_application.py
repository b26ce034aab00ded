"""The application that is a Python function."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from promptuary.evaluation.applications.redaction import Redaction
from promptuary.evaluation.applications.spec import PROMPTFOO, PythonSpec, TargetSpec
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.provider_response import provider_response
from promptuary.evaluation.targets.python.function_process import FunctionProcess
from promptuary.models.calls.scope import time_limit_paused

WORKERS = 4
"""How many processes run a function that is not `async`, unless the suite states it."""


@dataclass
class PythonApplication:
    """A Python function; implements `Application`.

    Attributes:
        spec: of the function.
        environment: the variables that its processes get.
        redaction: of their values.
        folders: where modules are, beside the installed ones.
        concurrency: the most calls at once.
    """

    spec: PythonSpec
    environment: Mapping[str, str] = field(repr=False)
    redaction: Redaction = field(repr=False)
    folders: tuple[str, ...]
    concurrency: int
    _idle: list[FunctionProcess] = field(default_factory=list)
    _shared: FunctionProcess | None = None
    _all: list[FunctionProcess] = field(default_factory=list)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unusable: ApplicationUnusable | None = None
    _slots: asyncio.Semaphore | None = None

    @classmethod
    def build(cls, target: TargetSpec, permissions: TargetPermissions, concurrency: int) -> Self:
        """Build it, and read the variables of the environment.

        Raises:
            Invalid: for a variable that is not set or may not be passed on.
        """
        spec = target.python
        assert spec is not None
        environment = permissions.read_variables(spec.env)
        redaction = Redaction.of(permissions.secrets_of(spec.env, environment))
        return cls(spec, environment, redaction, permissions.code_folders, max(1, concurrency))

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Call the function with the case's variables and a context; or as promptfoo calls its providers.

        Raises:
            ApplicationUnusable: for a function that cannot be loaded.
            ApplicationFailed: for an exception in it, or no answer in time.
        """
        detail["address"] = self.spec.source.label
        async with self._process() as process:
            started = time.monotonic()
            try:
                async with asyncio.timeout(self.spec.timeout):
                    returned = self.redaction.value(await process.call(self._arguments(question)))
            except ApplicationFailed as error:
                raise ApplicationFailed(self.redaction.text(error.message)) from None
            except TimeoutError:
                await process.close()
                raise ApplicationFailed(
                    f"{self.spec.source.label} did not answer within {self.spec.timeout:g} seconds"
                ) from None
            elapsed = (time.monotonic() - started) * 1000
        output = provider_response(returned, elapsed, self.spec.source.label, strict=self.spec.semantics == PROMPTFOO)
        if isinstance(version := output.metadata.get("version"), str) and version:
            detail["version"] = version[:100]
        return output

    async def close(self) -> None:
        """End all processes."""
        processes, self._all, self._idle, self._shared = self._all, [], [], None
        await asyncio.gather(*(process.close() for process in processes))

    def _arguments(self, question: ApplicationQuestion) -> list[Any]:
        if self.spec.semantics == PROMPTFOO:
            options: JsonObject = {"id": self.spec.source.label, "config": self.spec.config}
            return [question.prompt or "", options, {"vars": dict(question.case.vars)}]
        context = {"case": question.case.id, "prompt": question.prompt, "repeat": question.repeat, "config": self.spec.config}
        return [dict(question.case.vars), context]

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[FunctionProcess]:
        """Yield a process that can take a call: the one of an `async` function, else one that nobody else uses."""
        async with self._starting:
            shared = await self._shared_process()
        if shared is not None:
            yield shared
            return
        with time_limit_paused():
            await self._capacity.acquire()
        try:
            process = self._idle.pop() if self._idle else await self._start()
            try:
                yield process
            finally:
                await self._take_back(process)
        finally:
            self._capacity.release()

    async def _take_back(self, process: FunctionProcess) -> None:
        """Keep a process for the next call; release what one that has ended left."""
        if process.alive:
            self._idle.append(process)
            return
        if process in self._all:
            self._all.remove(process)
        await process.close()

    async def _shared_process(self) -> FunctionProcess | None:
        """Return the one process of an `async` function, started where there is none; None for another function."""
        if self._shared is not None and self._shared.alive:
            return self._shared
        if self._shared is None and self._all:
            return None
        if self._shared is not None:
            await self._take_back(self._shared)
        process = await self._start()
        self._shared = process if process.concurrent else None
        if self._shared is None:
            self._idle.append(process)
        return self._shared

    async def _start(self) -> FunctionProcess:
        if self._unusable is not None:
            raise self._unusable
        process = FunctionProcess(self.spec.source, self.folders, self.environment)
        try:
            with time_limit_paused():
                await process.start()
        except ApplicationUnusable as error:
            self._unusable = error
            await process.close()
            raise
        except BaseException:
            await process.close()
            raise
        self._all.append(process)
        return process

    @property
    def _capacity(self) -> asyncio.Semaphore:
        if self._slots is None:
            self._slots = asyncio.Semaphore(min(self.spec.workers or WORKERS, self.concurrency))
        return self._slots
