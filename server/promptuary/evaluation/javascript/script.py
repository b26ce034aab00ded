"""JavaScript to run, and what comes back; values pass as JSON text, and numbers that are not finite beside it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptuary.core.errors import Unavailable

NUMBER_TAG = "\0number"
"""The key of an object that stands for a number that JSON cannot write; no text of a user may have the character."""


class ValueType(StrEnum):
    """The type of a value of JavaScript, by the word of its `typeof` where there is one."""

    UNDEFINED = "undefined"
    """No value."""
    NULL = "null"
    """The value null."""
    BOOLEAN = "boolean"
    """A truth value."""
    NUMBER = "number"
    """A number, also one that is not finite."""
    STRING = "string"
    """A text."""
    ARRAY = "array"
    """A list."""
    OBJECT = "object"
    """An object of any other class; its value may be a text or a number, by its `toJSON`."""
    FUNCTION = "function"
    """A function, which has no JSON."""
    SYMBOL = "symbol"
    """A symbol, which has no JSON."""
    VERDICT = "verdict"
    """An object that promptfoo takes as a result: `pass`, `score` and `reason`, each of its type."""


class JavaScriptFailed(Unavailable):
    """JavaScript of a suite returned nothing."""

    code = "javascript_failed"


class JavaScriptThrew(JavaScriptFailed):
    """JavaScript of a suite threw an error, or is none.

    Attributes:
        name: of the class of the error, as `SyntaxError`; empty where it has none.
    """

    code = "javascript_threw"

    def __init__(self, message: str, name: str = "") -> None:
        """Keep the message of the error and its class."""
        super().__init__(f"the JavaScript threw {f'{name}: ' if name else ''}{message}")
        self.name = name


class JavaScriptStopped(JavaScriptFailed):
    """JavaScript of a suite was stopped at a limit of time, memory, depth or size."""

    code = "javascript_stopped"


@dataclass(frozen=True)
class Script:
    """A function in JavaScript: its body, or a file's source that exports it.

    Attributes:
        body: of a function; None where `source` exports the function.
        parameters: the names of the body's parameters. One more than there are values is an empty object, as `process`.
        source: of a CommonJS module.
        name: of the exported function; None for the default export.
        graded: whether an object that promptfoo takes as a result comes back as a `VERDICT`.
    """

    body: str | None = None
    parameters: tuple[str, ...] = ()
    source: str | None = None
    name: str | None = None
    graded: bool = False


@dataclass(frozen=True)
class ScriptValue:
    """What a script returned, after its promises.

    Attributes:
        type: of the value.
        value: as JSON has it; a number may be NaN or infinite. None for what has no JSON.
    """

    type: ValueType
    value: Any = None

    @property
    def is_missing(self) -> bool:
        """Whether it is undefined or null."""
        return self.type in (ValueType.UNDEFINED, ValueType.NULL)


@dataclass(frozen=True)
class ScriptRequest:
    """A request to the engine.

    Attributes:
        script: to run.
        values: of the function's parameters, as JSON; numbers need not be finite.
        check: whether the script is only parsed.
        seconds: of processor time.
        memory: in bytes.
    """

    script: Script
    values: Sequence[Any]
    check: bool
    seconds: float
    memory: int

    def line(self) -> bytes:
        """Return the request as the engine's process reads it: JSON in ASCII, with a line break."""
        script, tagged = self.script, not _is_finite(self.values)
        body = {
            "id": 1,
            "seconds": self.seconds,
            "memory": self.memory,
            "parameters": list(script.parameters),
            "body": script.body,
            "source": script.source,
            "name": script.name,
            "values": _tag(list(self.values)) if tagged else list(self.values),
            "tagged": tagged,
            "graded": script.graded,
            "check": self.check,
        }
        return json.dumps(body, ensure_ascii=True).encode() + b"\n"


def parse_answer(answer: str) -> ScriptValue:
    """Parse the engine's answer.

    Raises:
        JavaScriptThrew: for an error in the script, also one of its syntax.
        JavaScriptStopped: where a limit stopped it.
        ValueError: for an answer of another form.
    """
    body = json.loads(answer)
    match body["state"]:
        case "value":
            value = _untag(body.get("value")) if "\\u0000number" in answer else body.get("value")
            return ScriptValue(ValueType(body["type"]), value)
        case "thrown":
            name = body["name"] if body["name"] not in ("Error", "undefined") else ""
            raise JavaScriptThrew(body["message"], name)
        case "limit":
            raise JavaScriptStopped(f"the JavaScript was stopped: {body['message']}")
    raise ValueError(f"unknown state {body['state']!r}")


def _is_finite(values: Sequence[Any]) -> bool:
    try:
        json.dumps(values, allow_nan=False)
    except ValueError:
        return False
    return True


def _tag(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER_TAG: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, list | tuple):
        return [_tag(item) for item in value]
    return {key: _tag(item) for key, item in value.items()} if isinstance(value, dict) else value


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if NUMBER_TAG in value and value[NUMBER_TAG] in ("NaN", "Infinity", "-Infinity"):
        return float(value[NUMBER_TAG])
    return {key: _untag(item) for key, item in value.items()}
