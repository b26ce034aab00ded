"""The steps of a transform as a suite has them, parsed: names, paths, patterns, and code."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue

from promptuary.evaluation.canonical_json import unsupported_values
from promptuary.evaluation.javascript.host_names import host_name_error
from promptuary.evaluation.javascript.script import Script
from promptuary.evaluation.javascript.source import check_source, transform_body
from promptuary.evaluation.scorers.code.code_source import CodeSource
from promptuary.evaluation.scorers.code.javascript_value import file_script
from promptuary.evaluation.scorers.transforms.plain import NAMED, JsonPart, PatternPart
from promptuary.prompt.errors import Invalid

STEPS_LIMIT = 20
PYTHON_FUNCTION = "get_transform"
PARAMETERS = ("output", "context", "process")
_LIKE_A_NAME = re.compile(r"[a-z]+(?:-[a-z]+)+")
"""A misspelled name rather than JavaScript that subtracts."""
KEYS = ("json", "regex", "javascript", "python")


@dataclass(frozen=True)
class PlainStep:
    """A step without code.

    Attributes:
        name: for messages.
        function: makes a value of a value.
        of_text: whether it takes the text of a value.
    """

    name: str
    function: Callable[[Any], Any]
    of_text: bool = True


@dataclass(frozen=True)
class JavaScriptStep:
    """A step in JavaScript."""

    script: Script
    name: str = "javascript"


@dataclass(frozen=True)
class PythonStep:
    """A step in Python, in a process of its own."""

    source: CodeSource
    name: str = "python"


Step = PlainStep | JavaScriptStep | PythonStep


def parse_steps(value: JsonValue) -> tuple[Step, ...]:
    """Parse a transform: one step, or a list of steps that follow each other.

    Raises:
        Invalid: with a message that continues the word "transform".
    """
    if isinstance(value, list):
        if not 1 <= len(value) <= STEPS_LIMIT:
            raise Invalid(f"must have from 1 to {STEPS_LIMIT} steps")
        return tuple(_parse_step(step) for step in value)
    return (_parse_step(value),)


def _parse_step(value: JsonValue) -> Step:
    if isinstance(value, str) and value in NAMED:
        return PlainStep(value, NAMED[value])
    if isinstance(value, str) and value.strip() and not _LIKE_A_NAME.fullmatch(value):
        return _javascript(value)
    if not isinstance(value, dict) or len(value) != 1 or (key := next(iter(value))) not in KEYS:
        raise Invalid(f"must be {', '.join(NAMED)}, JavaScript, an object with one of {', '.join(KEYS)}, or a list of these")
    content = value[key]
    if not isinstance(content, str | dict) or not content:
        raise Invalid(f"has no {key}")
    return _PARSERS[key](content)


def _json(content: Any) -> Step:
    return PlainStep(f"json {content}", JsonPart.parse(_text(content, "json")).apply, of_text=False)


def _regex(content: Any) -> Step:
    return PlainStep(f"regex {content}", PatternPart.parse(_text(content, "regex")).apply)


def _javascript(content: Any) -> Step:
    if isinstance(content, dict):
        return JavaScriptStep(file_script(content, graded=False))
    if content.startswith("file://"):
        raise Invalid("names a file; only a suite's file can do that, so give the code itself")
    check_source(content)
    if error := host_name_error(content):
        raise Invalid(f"needs what is not here: {error}")
    return JavaScriptStep(Script(transform_body(content), PARAMETERS))


def _python(content: Any) -> Step:
    return PythonStep(CodeSource.of(content, PYTHON_FUNCTION))


_PARSERS: Mapping[str, Callable[[Any], Step]] = {
    "json": _json,
    "regex": _regex,
    "javascript": _javascript,
    "python": _python,
}


def _text(content: Any, key: str) -> str:
    if not isinstance(content, str):
        raise Invalid(f"has a {key} that is no text")
    return content


def transform_error(value: JsonValue) -> str | None:
    """Return what is wrong with a transform, as the rest of a sentence; None where it is valid."""
    if message := next(unsupported_values(value), None):
        return message
    try:
        parse_steps(value)
    except Invalid as error:
        return error.field_errors[0].message if error.field_errors else error.message
    return None


def javascript_sources(value: JsonValue) -> Iterator[str]:
    """Yield the JavaScript of a transform."""
    for step in value if isinstance(value, list) else [value]:
        content = step.get("javascript") if isinstance(step, dict) else step
        if content:
            yield str(content.get("code") if isinstance(content, dict) else content)


def _check(value: JsonValue) -> JsonValue:
    if value is not None and (message := transform_error(value)):
        raise ValueError(message)
    return value


TransformValue = Annotated[JsonValue, AfterValidator(_check)]
"""A transform as a file or a request has it; None for none."""
