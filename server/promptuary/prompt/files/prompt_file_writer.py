"""Writing of prompt files: YAML that `prompt_file` reads back as the same prompt, formatted for people to read and edit.

PyYAML's own writer is not used, because it folds long lines and writes many multi-line texts in quotes. Here a text of several
lines is a literal block, a small object or list is on one line, and defaults are left out. A text that a block would change
(one with a carriage return or a control character) is in double quotes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json

WIDTH = 110
_BLOCK_FIELDS = ("messages", "variables", "tools")
_KEY_LIMIT = 500
_WORDS = re.compile(r"[^\W\d_][\w.'’/()-]*(?: [\w.'’/()-]+)*", re.UNICODE)
# Texts that some YAML readers take for a boolean or null.
_RESERVED_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_A_BLOCK = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_RESOLVERS: Mapping[str | None, Sequence[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers


def prompt_file_text(
    content: Content,
    *,
    labels: Sequence[str] = (),
    message: str = "",
    tags: Sequence[str] = (),
    given_name: str | None = None,
    head: str = "",
) -> str:
    """Return the text of a prompt file.

    Args:
        content: the content as its author wrote it, without partials.
        labels: the labels that the registration of the prompt moves.
        message: the reason for the version.
        tags: the tags of the version.
        given_name: the prompt's name in the registry from which it was imported, where that does not fold onto its name here.
        head: comment lines for the beginning of the file, with their newlines.
    """
    body = content_json(content)
    template = body["template"]
    fields: dict[str, Any] = {
        "type": body["type"],
        "format": body["format"],
        "template" if isinstance(template, str) else "messages": template,
        "variables": {
            name: variable.model_dump(mode="json", exclude_defaults=True) for name, variable in content.variables.items()
        }
        or None,
        **{key: body[key] for key in ("model", "config", "context", "response_format", "tools")},
        "labels": list(labels) or None,
        "message": message or None,
        "tags": list(tags) or None,
        "given_name": given_name,
    }
    lines = [
        line
        for key, value in fields.items()
        if value is not None
        for line in _entry(f"{key}:", value, 0, as_block=key in _BLOCK_FIELDS)
    ]
    return head + "\n".join(lines) + "\n"


def leading_comments(text: str) -> str:
    """Return the comment lines at the beginning of a file, so that a new text can keep them; '' where there are none."""
    head = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", text.removeprefix("\ufeff"))
    assert head is not None
    return head.group() if "#" in head.group() else ""


def _entry(mark: str, value: Any, column: int, *, as_block: bool = False) -> Iterator[str]:
    """Yield the lines of a value with its mark, a key with a colon or a dash, at a column.

    The value follows the mark on the same line if it fits there and `as_block` is false; otherwise it is below the mark.
    """
    margin = " " * column
    flow = None if as_block and value else _flow(value)
    if isinstance(value, str) and _fits_block(value):
        yield from _block(margin + mark, value, column + 2)
    elif flow is not None and (not isinstance(value, dict | list) or len(margin + mark + flow) < WIDTH or not value):
        yield f"{margin}{mark} {flow}"
    elif isinstance(value, dict):
        lines = (line for key, item in value.items() for line in _pair(key, item, column + 2))
        if mark in ("-", ":"):  # the first key follows the mark on its line
            yield margin + f"{mark} " + next(lines)[column + 2 :]
        else:
            yield margin + mark
        yield from lines
    else:
        yield margin + mark
        for item in value:
            yield from _entry("-", item, column + 2)


def _pair(key: str, value: Any, column: int) -> Iterator[str]:
    if len(key) <= _KEY_LIMIT:
        yield from _entry(f"{_scalar(key)}:", value, column)
    else:  # longer than YAML allows before a colon
        yield f"{' ' * column}? {_scalar(key)}"
        yield from _entry(":", value, column)


def _flow(value: Any) -> str | None:
    """Return a value on one line, or None where it contains a text that is better read as a block."""
    if isinstance(value, dict):
        if any(len(key) > _KEY_LIMIT for key in value):
            return None
        pairs = [(_scalar(key), _flow(item)) for key, item in value.items()]
        return None if any(item is None for _, item in pairs) else "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    if isinstance(value, list):
        items = [_flow(item) for item in value]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    return None if isinstance(value, str) and _fits_block(value) else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")  # YAML 1.1 requires the point
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    if not _WORDS.fullmatch(text) or text.lower() in _RESERVED_WORDS or _ESCAPED.search(text):
        return False
    resolvers = [*_RESOLVERS.get(text[0], ()), *_RESOLVERS.get(None, ())]
    return not any(pattern.match(text) for _, pattern in resolvers)


def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(text, ensure_ascii=False))


def _fits_block(text: str) -> bool:
    return "\n" in text and not text.isspace() and not _NOT_IN_A_BLOCK.search(text)


def _block(start: str, text: str, column: int) -> Iterator[str]:
    """Yield the lines of a text as a literal block; the indicator `2` is the indentation of a text that begins with a blank."""
    newlines = len(text) - len(text.rstrip("\n"))
    chomping = "-" if newlines == 0 else "" if newlines == 1 else "+"
    yield f"{start} |{'2' if text[0].isspace() else ''}{chomping}"
    lines = (text if newlines == 0 else text[:-1]).split("\n")
    yield from (" " * column + line if line else "" for line in lines)
