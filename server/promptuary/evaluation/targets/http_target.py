"""The application over HTTP: a request a case, again after an error that may pass, and the output from the answer."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from promptuary.evaluation.applications.answer import HttpAnswer, OutputReader, output_text
from promptuary.evaluation.applications.answer_path import parse_path
from promptuary.evaluation.applications.http_request import HttpRequest, RequestTemplate
from promptuary.evaluation.applications.redaction import Redaction
from promptuary.evaluation.applications.spec import PROMPTFOO, HttpSpec, TargetSpec
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import PROMPT, ApplicationOutput, ApplicationQuestion, StatedToolCall
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable
from promptuary.evaluation.targets.http_connection import HttpConnection
from promptuary.evaluation.targets.http_scripts import HttpScripts
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.provider_response import stated_calls
from promptuary.models.calls.retries import Retries
from promptuary.models.calls.scope import time_limit_paused
from promptuary.prompt.text import replace_refused

_SETUP_STATUSES: Mapping[int, str] = {
    401: "it does not accept the credentials: set the variable that the header names, or add the header",
    403: "it refuses the credentials: check what they permit",
    404: "there is nothing at this address: check the path",
    405: "it does not accept this method: set `method`",
    407: "a proxy requires credentials",
}


@dataclass
class HttpApplication:
    """An application over HTTP; implements `Application`.

    Attributes:
        template: of the requests.
        reader: of the answers.
        scripts: of the request.
        version_header: the header of an answer that states the application's version; None for none.
        environment: the variables of the environment that requests use.
        redaction: of their values.
        connection: to the application.
        pause: waits between attempts.
        jitter: returns a number in [0, 1) that spreads the waits.
    """

    template: RequestTemplate
    reader: OutputReader
    scripts: HttpScripts
    version_header: str | None
    environment: Mapping[str, str] = field(repr=False)
    redaction: Redaction = field(repr=False)
    connection: HttpConnection
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    @classmethod
    def build(
        cls,
        target: TargetSpec,
        permissions: TargetPermissions,
        concurrency: int,
        engine: JavaScriptEngine | None = None,
    ) -> Self:
        """Build it, and read the variables of the environment.

        Raises:
            Invalid: for a variable that is not set or may not be passed on, and for an expression that is no JavaScript.
        """
        spec = target.http
        assert spec is not None
        environment = permissions.read_variables(sorted(spec.environment_names()))
        secrets = [environment[name] for name in spec.secret_names()]
        connection = HttpConnection(permissions.hosts, limit=max(1, concurrency))
        return cls(
            RequestTemplate.of(spec),
            OutputReader.of(spec),
            HttpScripts.build(spec, engine),
            target.version_header,
            environment,
            Redaction.of(secrets),
            connection,
        )

    @property
    def spec(self) -> HttpSpec:
        """The definition of the request."""
        return self.template.spec

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Send the request of a case, and return the output.

        Raises:
            ApplicationUnusable: where the application is set up wrongly.
            ApplicationFailed: for an error of the application, after the last attempt.
            AnswerUnreadable: for an answer without an output.
        """
        request = await self._request(question)
        detail["address"] = request.address
        answer, latency_ms = await self._send(request)
        detail["status"] = answer.status
        if self.version_header is not None and (version := answer.headers.get(self.version_header.lower())):
            detail["version"] = " ".join(replace_refused(version).split())[:100]
        await self._check(answer, request)
        if "output" in self.scripts:
            output = await self.scripts.output(answer, latency_ms)
            return output if self.spec.tool_calls is None else replace(output, tool_calls=self._calls(answer))
        return ApplicationOutput(self.reader.read(answer), latency_ms, tool_calls=self._calls(answer))

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    def _calls(self, answer: HttpAnswer) -> Sequence[StatedToolCall] | None:
        """Return the calls of tools that an answer states; None where it states none in a form that is known."""
        if self.spec.tool_calls is None or not answer.is_json:
            return None
        try:
            return stated_calls(parse_path(self.spec.tool_calls).value(answer.json))
        except LookupError:
            return None

    async def _request(self, question: ApplicationQuestion) -> HttpRequest:
        if "request" not in self.scripts:
            return self.template.build(question.values, self.environment)
        prompt = await self.scripts.request(question)
        if isinstance(prompt, Mapping):
            return self.template.build(question.values, self.environment, prompt)
        return self.template.build({**question.values, PROMPT: output_text(prompt)}, self.environment)

    async def _send(self, request: HttpRequest) -> tuple[HttpAnswer, float]:
        retries = Retries()
        while True:
            started = time.monotonic()
            try:
                answer = await self.connection.send(request, self.spec.timeout, self.redaction.text)
                if not await self._accepts(answer) and answer.status not in _SETUP_STATUSES:
                    raise ApplicationFailed(_status_text(answer, request), answer.status, answer)
                return answer, (time.monotonic() - started) * 1000
            except ApplicationFailed as error:
                wait = retries.next_wait(error, self.jitter)
                if wait is None:
                    raise
            with time_limit_paused():
                await self.pause(wait)

    async def _accepts(self, answer: HttpAnswer) -> bool:
        """Return whether an answer's status is one that the suite accepts."""
        if "status" in self.scripts:
            return await self.scripts.accepts(answer.status)
        statuses: Any = self.spec.status
        if statuses is None:
            return self.spec.semantics == PROMPTFOO or 200 <= answer.status < 300
        return any(
            accepted in ("any", answer.status) or (isinstance(accepted, str) and accepted == f"{answer.status // 100}xx")
            for accepted in statuses
        )

    async def _check(self, answer: HttpAnswer, request: HttpRequest) -> None:
        """Raise ApplicationUnusable for an answer that shows a wrong set-up."""
        if not await self._accepts(answer):
            raise ApplicationUnusable(f"{_status_text(answer, request)}; {_SETUP_STATUSES[answer.status]}")
        whole = self.spec.output is None and self.spec.semantics != PROMPTFOO
        if answer.is_html and (whole or (self.reader.path is not None)):
            raise ApplicationUnusable(
                f"{request.address} answered a page for browsers (HTML) with status {answer.status}: check the path, "
                "and whether it wants a sign-in; `output: text` takes the page as it is"
            )


def _status_text(answer: HttpAnswer, request: HttpRequest) -> str:
    status = f"{answer.status} {answer.reason}".strip()
    return f"{request.address} answered with status {status}" + (f": {answer.excerpt}" if answer.excerpt else "")
