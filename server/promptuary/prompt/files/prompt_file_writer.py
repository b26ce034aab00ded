"""Prompt files as text: YAML that `prompt.file` reads back as the same prompt, laid out for people to read and edit.

Texts of several lines are block scalars, line by line as they are; small things stand in one line; what is a default is left
out. A text that YAML would not give back as it was (a carriage return, a control character) stands in double quotes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json

WIDTH = 110
_SPREAD = ("messages", "variables", "tools")
_KEY_LIMIT = 500
_WORDS = re.compile(r"[^\W\d_][\w.'’/()-]*(?: [\w.'’/()-]+)*", re.UNICODE)
_OTHER_WORDS = {
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "none",
}  # which some readers take for more than text
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_BLOCKS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_RESOLVERS: Mapping[str | None, Sequence[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers


def prompt_file_text(
    content: Content, *, labels: Sequence[str] = (), message: str = "", tags: Sequence[str] = (), head: str = ""
) -> str:
    """Write a prompt file.

    Args:
        content: as its author wrote it, without partials.
        labels: which labels registering it is to move.
        message: why the version exists.
        tags: what lists find it by.
        head: comment lines to begin with.
    """
    body = content_json(content)
    template = body["template"]
    parts: dict[str, Any] = {
        "type": body["type"],
        "format": body["format"],
        "template" if isinstance(template, str) else "messages": template,
        "variables": {name: said.model_dump(mode="json", exclude_defaults=True) for name, said in content.variables.items()}
        or None,
        **{part: body[part] for part in ("model", "context", "response_format", "tools")},
        "labels": list(labels) or None,
        "message": message or None,
        "tags": list(tags) or None,
    }
    said = {key: value for key, value in parts.items() if value is not None}
    lines = [line for key, value in said.items() for line in _entry(f"{key}:", value, 0, spread=key in _SPREAD)]
    return head + "\n".join(lines) + "\n"


def leading_comments(text: str) -> str:
    """Give the comment lines with which a file begins, so that a new text can keep them."""
    head = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", text.removeprefix("\ufeff"))
    assert head is not None
    return head.group() if "#" in head.group() else ""


def _entry(mark: str, value: Any, column: int, *, spread: bool = False) -> Iterator[str]:
    """Write `mark` (a key with its colon, or a dash) at a column, and a value behind or below it; below it, to `spread` it."""
    margin = " " * column
    flow = None if spread and value else _flow(value)
    if isinstance(value, str) and _fits_a_block(value):
        yield from _block(margin + mark, value, column + 2)
    elif flow is not None and (not isinstance(value, dict | list) or len(margin + mark + flow) < WIDTH or not value):
        yield f"{margin}{mark} {flow}"
    elif isinstance(value, dict):
        lines = (line for key, item in value.items() for line in _pair(key, item, column + 2))
        if mark in ("-", ":"):  # the first key stands behind the mark
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
    else:  # longer than what YAML takes before a colon
        yield f"{' ' * column}? {_scalar(key)}"
        yield from _entry(":", value, column)


def _flow(value: Any) -> str | None:
    """Write a value in one line; None where it has a text that is better read in several."""
    if isinstance(value, dict):
        if any(len(key) > _KEY_LIMIT for key in value):
            return None
        pairs = [(_scalar(key), _flow(item)) for key, item in value.items()]
        return None if any(item is None for _, item in pairs) else "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    if isinstance(value, list):
        items = [_flow(item) for item in value]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    return None if isinstance(value, str) and _fits_a_block(value) else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")  # YAML wants the point
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    if not _WORDS.fullmatch(text) or text.lower() in _OTHER_WORDS or _ESCAPED.search(text):
        return False
    resolvers = [*_RESOLVERS.get(text[0], ()), *_RESOLVERS.get(None, ())]
    return not any(pattern.match(text) for _, pattern in resolvers)


def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))


def _fits_a_block(text: str) -> bool:
    return "\n" in text and not text.isspace() and not _NOT_IN_BLOCKS.search(text)


def _block(start: str, text: str, column: int) -> Iterator[str]:
    """Write a text as a literal block. The `2` says where its lines begin, where they do not show it themselves."""
    ends = len(text) - len(text.rstrip("\n"))
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    yield f"{start} |{'2' if text[0].isspace() else ''}{chomping}"
    lines = (text if ends == 0 else text[:-1]).split("\n")
    yield from (" " * column + line if line else "" for line in lines)
