"""The JavaScript of a request: which part of the answer is the output, which statuses are answers, what the prompt becomes."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptuary.evaluation.applications.answer import AnswerUnreadable, HttpAnswer, is_truthy
from promptuary.evaluation.applications.spec import PROMPTFOO, HttpSpec
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.javascript.script import JavaScriptFailed, Script, ScriptValue, ValueType
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationUnusable
from promptuary.evaluation.targets.provider_response import provider_response

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "output": ("json", "text", "context"),
    "status": ("status",),
    "request": ("prompt", "vars", "context"),
}
_FUNCTION = re.compile(r"^(?:\(.*?\)\s*=>|function\s*\(.*?\))", re.DOTALL)
OFF_MESSAGE = "is JavaScript, which is off here; an operator can allow it by PROMPTUARY_JAVASCRIPT=true"


@dataclass(frozen=True)
class HttpScripts:
    """The scripts of a request by their fields, and the engine that runs them.

    Attributes:
        scripts: parsed at each call, in a context of its own.
        engine: runs them; None where there is none to run.
        promptfoo: whether results mean what they mean there.
    """

    scripts: Mapping[str, Script]
    engine: JavaScriptEngine | None
    promptfoo: bool

    @classmethod
    def build(cls, spec: HttpSpec, engine: JavaScriptEngine | None) -> Self:
        """Build the scripts, and check their syntax; promptfoo's are checked where they are run, as there.

        Raises:
            ApplicationUnusable: for an expression that is no JavaScript, or where JavaScript is off.
        """
        scripts = {name: _script(code, PARAMETERS[name]) for name, code in spec.scripts().items()}
        for name, script in scripts.items():
            if engine is None:
                raise ApplicationUnusable(f"`{name}` {OFF_MESSAGE}")
            if spec.semantics != PROMPTFOO and (message := engine.syntax_error(script)) is not None:
                raise ApplicationUnusable(f"`{name}` is no JavaScript: {message}")
        return cls(scripts, engine, spec.semantics == PROMPTFOO)

    def __contains__(self, name: str) -> bool:
        """Return whether there is a script of a field."""
        return name in self.scripts

    async def output(self, answer: HttpAnswer, latency_ms: float) -> ApplicationOutput:
        """Return the output of an answer by the expression.

        Raises:
            AnswerUnreadable: for an error in it, or where it returns nothing.
        """
        body = answer.json if answer.is_json else None
        whole = answer.text if body is None else body
        response = {"status": answer.status, "statusText": answer.reason, "headers": dict(answer.headers), "data": whole}
        if answer.parts:
            body = [part.value if part.is_json else part.text for part in answer.parts]
        if self.promptfoo and not is_truthy(body):
            body = None
        returned = await self._run("output", [body, answer.text, {"response": response}])
        if returned.type in (ValueType.FUNCTION, ValueType.SYMBOL):
            raise AnswerUnreadable(f"the expression of the output returned a {returned.type}, which is no output")
        value = _finite(returned.value)
        if not self.promptfoo:
            if returned.is_missing:
                raise AnswerUnreadable(f"the expression found no output in the answer: {answer.excerpt}")
            return ApplicationOutput(value, latency_ms)
        if isinstance(value, Mapping) and "output" in value:
            return provider_response(value, latency_ms, "the answer", strict=False)
        if not is_truthy(value):
            return ApplicationOutput({} if returned.type is ValueType.UNDEFINED else {"output": value}, latency_ms)
        return ApplicationOutput(value, latency_ms)

    async def accepts(self, status: int) -> bool:
        """Return whether a status is an answer by the expression.

        Raises:
            AnswerUnreadable: for an error in it.
        """
        return bool((await self._run("status", [status])).value)

    async def request(self, question: ApplicationQuestion) -> Any:
        """Return what the prompt becomes before it is sent.

        Raises:
            AnswerUnreadable: for an error in the expression.
        """
        context = {"vars": dict(question.case.vars)}
        return _finite((await self._run("request", [question.prompt or "", dict(question.case.vars), context])).value)

    async def _run(self, name: str, values: Sequence[Any]) -> ScriptValue:
        assert self.engine is not None
        try:
            return await self.engine.call(self.scripts[name], values)
        except JavaScriptFailed as error:
            raise AnswerUnreadable(f"`{name}` failed: {error.message}") from None


def _script(code: str, parameters: tuple[str, ...]) -> Script:
    """Return a script of an expression, or of a function that is called; which one it is, is decided as promptfoo does."""
    text = code.strip()
    arguments = f"({', '.join(parameters)})" if _FUNCTION.match(text) else ""
    return Script(f"return ({text}\n){arguments};", parameters)


def _finite(value: Any) -> Any:
    """Return a number that is not finite as JavaScript writes it in a text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
