"""Which variables take JSON where every value arrives as a text: on the command line, and over the Model Context Protocol."""

import json
from collections.abc import Sequence
from typing import Any

from promptuary.prompt.variables import Variable

_FORMS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON list",
    "object": "a JSON object",
}
_MESSAGES = 'a JSON list of messages, as [{"role": "user", "content": "…"}]'


def json_form(variable: Variable | None, *, placeholder: bool) -> str | None:
    """Return what to write for a variable whose text is parsed as JSON, such as "an integer".

    Args:
        variable: its declaration; None for one that is not declared.
        placeholder: whether it is a placeholder for messages.

    Returns:
        None for a variable that takes the text as it is, one of an enum without a type (`enum_value`), or one without both.
    """
    if placeholder:
        return _MESSAGES
    if variable is None:
        return None
    return _FORMS.get(variable.type or "")


def enum_text(value: Any) -> str:
    """Return the text that stands for a value of an enum: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def enum_value(values: Sequence[Any], text: str) -> Any:
    """Return the value of an enum for which a text stands, however its JSON is written; the text itself where there is none.

    A value that is this very text comes before one whose JSON it is.
    """
    if text in (value for value in values if isinstance(value, str)):
        return text
    try:
        canonical = _canonical(json.loads(text))
    except (ValueError, RecursionError):
        return text
    return next((value for value in values if not isinstance(value, str) and _canonical(value) == canonical), text)


def _canonical(value: Any) -> str:
    """Return JSON that equal values share: `1.0` is 1, and the order of an object's members does not count."""
    is_whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if is_whole else value, sort_keys=True)
