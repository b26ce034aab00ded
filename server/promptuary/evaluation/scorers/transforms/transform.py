"""A transform that can be applied: it makes a value of an output, or fails, and then there is no verdict."""

import json
import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from promptuary.core.errors import Unavailable
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.javascript.script import JavaScriptFailed, Script, ValueType
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.code.code_process import CodeFailed, CodeProcess
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.transforms.steps import JavaScriptStep, PlainStep, PythonStep, Step, parse_steps
from promptuary.prompt.errors import Invalid
from promptuary.prompt.text import replace_refused

NOT_ALLOWED = "has Python, which is not run here; an operator can allow it by PROMPTUARY_CODE_SCORERS=true"
TURNED_OFF = "has JavaScript, which is not run here; an operator has set PROMPTUARY_JAVASCRIPT=false"


class TransformFailed(Unavailable):
    """A transform found nothing, returned nothing, or its code failed."""

    code = "transform_failed"


@dataclass(frozen=True)
class TransformContext:
    """What code of a transform gets beside the output, under promptfoo's names.

    Attributes:
        vars: of the case.
        prompt: `raw`, the template, and `label`; for one scorer's transform `label` alone, the rendered prompt.
        metadata: what the model or application stated; None where the level has none.
    """

    vars: JsonObject
    prompt: Mapping[str, str]
    metadata: JsonObject | None = None

    @property
    def body(self) -> JsonObject:
        """The context as JSON."""
        body = {"vars": self.vars, "prompt": dict(self.prompt)}
        return body if self.metadata is None else {**body, "metadata": self.metadata}


@dataclass(frozen=True)
class Transform:
    """Steps that follow each other.

    Attributes:
        steps: in their order.
        engine: runs JavaScript; None where there is none.
        processes: of the Python steps, by their position.
    """

    steps: tuple[Step, ...]
    engine: JavaScriptEngine | None
    processes: Mapping[int, CodeProcess]

    async def apply(self, value: Any, context: TransformContext) -> Any:
        """Return what the steps make of a value, as JSON; a number may be NaN or infinite.

        Raises:
            TransformFailed: where a step fails, or returns nothing.
        """
        for position, step in enumerate(self.steps):
            try:
                value = await self._apply(position, step, value, context)
            except (CodeFailed, JavaScriptFailed) as error:
                raise TransformFailed(f"the transform failed: {error.message}") from None
            except (LookupError, ValueError) as error:
                message = error.args[0] if error.args else type(error).__name__
                raise TransformFailed(f"the transform {step.name} failed: {message}") from None
            if value is None:
                raise TransformFailed(f"the transform {step.name} returned nothing")
        return value

    async def _apply(self, position: int, step: Step, value: Any, context: TransformContext) -> Any:
        match step:
            case PlainStep():
                return step.function(value_text(value) if step.of_text else value)
            case JavaScriptStep():
                assert self.engine is not None
                returned = await self.engine.call(step.script, [value, context.body])
                without_json = returned.type in (ValueType.FUNCTION, ValueType.SYMBOL)
                return ValueType.UNDEFINED.value if without_json else returned.value  # as JavaScript writes it into a text
            case PythonStep():
                return await self.processes[position].call(value, context.body)

    def scripts(self) -> list[Script]:
        """Return the JavaScript of the steps."""
        return [step.script for step in self.steps if isinstance(step, JavaScriptStep)]


def build_transform(value: JsonValue, dependencies: ScorerDependencies) -> Transform | None:
    """Build a checked transform; None for none.

    Raises:
        Invalid: for code that is not allowed here.
    """
    if value is None:
        return None
    steps = parse_steps(value)
    if any(isinstance(step, JavaScriptStep) for step in steps) and dependencies.javascript is None:
        raise Invalid(TURNED_OFF)
    processes = {}
    for position, step in enumerate(steps):
        if isinstance(step, PythonStep):
            if not dependencies.code:
                raise Invalid(NOT_ALLOWED)
            processes[position] = CodeProcess(step.source)
            dependencies.closing(_closing(weakref.ref(processes[position])))
    return Transform(steps, dependencies.javascript, processes)


def _closing(reference: "weakref.ref[CodeProcess]") -> Callable[[], None]:
    """Return a function that ends a process which is still there."""

    def close() -> None:
        process = reference()
        if process is not None:
            process.close()

    return close


def value_text(value: Any) -> str:
    """Return a value as the text that other scorers read: a text as it is, everything else as JavaScript writes its JSON."""
    if isinstance(value, str):
        return replace_refused(value)
    return replace_refused(json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")))


def _plain(value: Any) -> Any:
    """Return a value with whole floats as integers, and null for numbers that are not finite."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
