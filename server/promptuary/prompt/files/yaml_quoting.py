"""Plain YAML scalars that are not the texts that they look like: `NO` is false, `1.10` is 1.1, `12:30` is 750.

YAML 1.1, which prompt files are written in, has these rules. Where a value is the author's own data and no schema names its
type, a scalar that JSON would write in another way is refused; where a text is needed, the error asks to quote it.
"""

import json
import re
from typing import Any

from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import YamlDocument

_DATA = re.compile(r"(?<!variables)(?<!properties)\.(enum|const|default|examples)(\.|$)|^config(\.|$)")
_DECEPTIVE = re.compile(r"(?i)(yes|no|on|off)|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[0-7_]+|[-+]?[0-9.]*_[0-9_.]*")
_IN_SCHEMA = re.compile(r"not valid JSON Schema at '([^']+)'")
_VALUE_NEEDED = re.compile(r"must be a (string|list)")
_TEXT_NEEDED = re.compile(r"must be (a string|of type string|a list of strings|one of object)|is required: 1 to 64 of")


def quoting_errors(document: YamlDocument) -> list[FieldError]:
    """Return an error for each scalar of the author's data that YAML reads as something else than it looks like."""
    return [
        FieldError(path, f'{text} is read as {json.dumps(value)}: quote it ("{text}"), or write {json.dumps(value)}')
        for path, (text, value) in document.plain.items()
        if _DATA.search(path) and _DECEPTIVE.fullmatch(text)
    ]


def with_quoting_hint(error: FieldError, document: YamlDocument) -> FieldError:
    """Return an error of a value that should be a text with the advice to quote it, where YAML made it something else."""
    names = (_name_in_braces(document.value, path) for path in _places(error))
    if _VALUE_NEEDED.search(error.message) and (name := next(filter(None, names), None)) is not None:
        needed = "must be a text or a list of messages" if error.path == "template" else error.message
        return FieldError(error.path, f'{needed}; quote it: "{{{name}}}"', error.line)
    if not _TEXT_NEEDED.search(error.message):
        return error
    for path in (*_places(error), f"{error.path}.default", f"{error.path}.0"):
        if path in document.plain:
            text, _ = document.plain[path]
            return FieldError(error.path, f'{error.message}; quote it: "{text}"', error.line)
    return error


def _places(error: FieldError) -> list[str]:
    """Return the path of an error; and where it is about a JSON Schema, the path of the value inside that is wrong."""
    match = _IN_SCHEMA.search(error.message)
    return [error.path, f"{error.path}.{match[1].replace('/', '.')}"] if match else [error.path]


def _name_in_braces(value: Any, path: str) -> str | None:
    """Return the name where a path leads to `{name}` without quotes, which YAML reads as an object with an empty member."""
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return next(iter(value)) if isinstance(value, dict) and list(value.values()) == [None] else None
