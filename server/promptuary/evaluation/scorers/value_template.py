"""A scorer's value: JSON from the suite whose strings are templates, parsed once and filled for each case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from promptuary.evaluation.case import Case
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.tree import Node, Tag
from promptuary.prompt.templates.used_names import used_names


@dataclass(frozen=True)
class _Text:
    nodes: tuple[Node, ...]
    uses_expected: bool

    @property
    def tag(self) -> str | None:
        """The name in the text's one tag, where it is nothing else."""
        return self.nodes[0].name if len(self.nodes) == 1 and isinstance(self.nodes[0], Tag) else None


@dataclass(frozen=True)
class ValueTemplate:
    """A value of a suite: `parsed` has its shape, with every string that holds a tag as a parsed template."""

    parsed: Any
    constant: bool

    def of(self, case: Case) -> Any:
        """Fill the templates from the case's variables, `expected` and `metadata`.

        Raises:
            Invalid: when a template asks for `expected` and the case has none: an empty text would be a silent zero.
        """
        return self.parsed if self.constant else _filled(self.parsed, case, _scope(case))

    def whole(self, case: Case) -> Any:
        """Give the value as `of` does; where it is one tag alone that names an object or a list, give that itself.

        Raises:
            Invalid: as `of`.
        """
        if isinstance(self.parsed, _Text) and self.parsed.tag is not None:
            found: Any = _scope(case)
            for name in self.parsed.tag.split("."):
                found = found.get(name) if isinstance(found, dict) else None
            if isinstance(found, dict | list):
                return found
        return self.of(case)

    def text(self, case: Case) -> str:
        """Give the value as the text that an output is compared with; numbers as JSON writes them (5, not 5.0).

        Raises:
            Invalid: as `of`.
        """
        return value_text(self.of(case))

    def texts(self, case: Case, *, commas: bool) -> list[str]:
        """Give the value as a list: a list, a text that is a JSON list, with `commas` a comma-separated text, else one text.

        Raises:
            Invalid: as `of`, and when the list is empty.
        """
        value = self.of(case)
        if isinstance(value, str):
            listed = _json_list(value)
            value = listed if listed is not None else split_list(value) if commas else [value]
        texts = [value_text(item) for item in value] if isinstance(value, list) else [value_text(value)]
        if not texts:
            raise Invalid(f"the value is an empty list for case '{case.id}'")
        return texts


def parse_value(source: Any) -> ValueTemplate:
    """Parse the templates in a suite's value.

    Raises:
        InvalidPrompt: for a template that does not parse.
    """
    parsed = _parsed(source)
    return ValueTemplate(parsed, constant=parsed == source)


def value_text(value: Any) -> str:
    """Give a JSON value as text: a string as it is, all else as canonical JSON."""
    return value if isinstance(value, str) else rfc8785.dumps(value).decode()


def split_list(text: str) -> list[str]:
    """Split a comma-separated text; a field in double quotes keeps its commas, and a doubled or escaped quote is one in it."""
    fields: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace() or text[at] == ",":
            at += 1
        elif text[at] == '"':
            field, at = _quoted(text, at + 1)
            fields.append(field)
        else:
            stop = text.find(",", at)
            stop = end if stop < 0 else stop
            fields.append(text[at:stop].strip())
            at = stop
    return fields


def _quoted(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while at < len(text):
        pair = text[at : at + 2]
        if pair in ('\\"', "\\\\", '""'):
            out.append(pair[1])
            at += 2
        elif text[at] == '"':
            rest = text[at + 1 :].lstrip()
            if rest and not rest.startswith(","):
                break
            return "".join(out), at + 1
        else:
            out.append(text[at])
            at += 1
    raise Invalid("the list has a quoted field that is not closed before the next comma")


def _json_list(text: str) -> list[Any] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _parsed(source: Any) -> Any:
    if isinstance(source, str):
        if "{{" not in source:
            return source
        nodes = mustache.parse(source)
        return _Text(nodes, "expected" in used_names(nodes).values)
    if isinstance(source, list):
        return [_parsed(item) for item in source]
    if isinstance(source, dict):
        return {key: _parsed(item) for key, item in source.items()}
    return source


def _filled(parsed: Any, case: Case, scope: Mapping[str, Any]) -> Any:
    if isinstance(parsed, _Text):
        if parsed.uses_expected and scope["expected"] is None:
            raise Invalid(f"the value uses {{{{expected}}}}, which case '{case.id}' does not have")
        return render(parsed.nodes, scope, limit=OUTPUT_LIMIT)
    if isinstance(parsed, list):
        return [_filled(item, case, scope) for item in parsed]
    if isinstance(parsed, dict):
        return {key: _filled(item, case, scope) for key, item in parsed.items()}
    return parsed


def _scope(case: Case) -> dict[str, Any]:
    """Give the names that a template sees; a variable called `expected` or `metadata` stands in for what a case lacks."""
    scope = dict(case.vars)
    if case.expected is not None or "expected" not in scope:
        scope["expected"] = case.expected
    if case.metadata or "metadata" not in scope:
        scope["metadata"] = case.metadata
    return scope
