"""A scorer's value as a template: JSON whose strings are mustache templates, parsed once and filled for each case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.tree import Node, Tag
from promptuary.prompt.templates.used_names import used_names


@dataclass(frozen=True)
class _TextTemplate:
    """A text with tags.

    Attributes:
        nodes: of the template.
        names: the dotted names of the tags outside sections.
        uses_expected: whether it uses the case's `expected`.
    """

    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    uses_expected: bool

    @property
    def only_tag(self) -> str | None:
        """The name in the template's one tag, where the template is nothing else."""
        return self.nodes[0].name if len(self.nodes) == 1 and isinstance(self.nodes[0], Tag) else None


@dataclass(frozen=True)
class ValueTemplate:
    """A value of a suite.

    Attributes:
        parsed: has the value's shape, with every string that has a tag as a parsed template.
        constant: whether no string has a tag, so that the value is the same for all cases.
    """

    parsed: Any
    constant: bool

    def fill(self, case: Case) -> Any:
        """Return the value with its templates filled from the case's variables, `expected` and `metadata`.

        Raises:
            Invalid: when a template uses `expected` and the case has none, and when a text is empty because the case has no
                value for its tags: an empty text would be a silent zero, or with `not-` a silent pass.
        """
        return self.parsed if self.constant else _fill(self.parsed, case, _scope_of(case))

    def fill_whole(self, case: Case) -> Any:
        """Return the value as `fill` does; a single tag that names an object or a list returns that itself.

        Raises:
            Invalid: as `fill`.
        """
        if isinstance(self.parsed, _TextTemplate) and self.parsed.only_tag is not None:
            value = _lookup(_scope_of(case), self.parsed.only_tag)
            if isinstance(value, dict | list):
                return value
        return self.fill(case)

    @property
    def empty_items(self) -> int:
        """The number of texts in a list that are empty for every case."""
        items = self.parsed if isinstance(self.parsed, list) else ()
        return sum(1 for item in items if isinstance(item, _TextTemplate) and not item.nodes)

    def text(self, case: Case) -> str:
        """Return the value as the text that an output is compared with; numbers as JSON writes them (5, not 5.0).

        Raises:
            Invalid: as `fill`.
        """
        return value_text(self.fill(case))

    def texts(self, case: Case, *, commas: bool) -> list[str]:
        """Return the value as a list of texts.

        Args:
            case: fills the templates.
            commas: whether a text is split at its commas. A text that is a JSON list is always read as that list.

        Raises:
            Invalid: as `fill`, and when the list is empty.
        """
        value = self.fill(case)
        if isinstance(value, str):
            items = _parse_json_list(value)
            value = items if items is not None else split_list(value) if commas else [value]
        texts = [value_text(item) for item in value] if isinstance(value, list) else [value_text(value)]
        if not texts:
            raise Invalid(f"the value is an empty list for case '{case.id}'")
        return texts


def parse_value(source: Any) -> ValueTemplate:
    """Parse the templates in a suite's value.

    Raises:
        InvalidPrompt: for a template that does not parse.
    """
    parsed = _parse(source)
    return ValueTemplate(parsed, constant=parsed == source)


def has_no_content(source: Any) -> bool:
    """Return whether a text is empty for every case: without a character, or a template of comments alone."""
    if not isinstance(source, str):
        return False
    return source == "" or ("{{" in source and not mustache.parse(source))


def value_text(value: Any) -> str:
    """Return a JSON value as text: a string as it is, everything else as JSON in its order; numbers have RFC 8785's form."""
    return value if isinstance(value, str) else canonical_json(InOrder(value, typed_numbers=False)).decode()


def split_list(text: str) -> list[str]:
    """Split a comma-separated text.

    A field in double quotes keeps its commas; a doubled or escaped quote in it is a quote.

    Raises:
        Invalid: for a quoted field that is not closed.
    """
    fields: list[str] = []
    position, end = 0, len(text)
    while position < end:
        if text[position].isspace() or text[position] == ",":
            position += 1
        elif text[position] == '"':
            field, position = _quoted_field(text, position + 1)
            fields.append(field)
        else:
            comma = text.find(",", position)
            comma = end if comma < 0 else comma
            fields.append(text[position:comma].strip())
            position = comma
    return fields


def _quoted_field(text: str, position: int) -> tuple[str, int]:
    """Return the field that begins behind a quote, and the position behind its closing quote."""
    characters: list[str] = []
    while position < len(text):
        pair = text[position : position + 2]
        if pair in ('\\"', "\\\\", '""'):
            characters.append(pair[1])
            position += 2
        elif text[position] == '"':
            rest = text[position + 1 :].lstrip()
            if rest and not rest.startswith(","):
                break
            return "".join(characters), position + 1
        else:
            characters.append(text[position])
            position += 1
    raise Invalid("the list has a quoted field that is not closed before the next comma")


def _parse_json_list(text: str) -> list[Any] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _parse(source: Any) -> Any:
    if isinstance(source, str):
        if "{{" not in source:
            return source
        nodes = mustache.parse(source)
        names = tuple(node.name for node in nodes if isinstance(node, Tag))
        return _TextTemplate(nodes, names, "expected" in used_names(nodes).values)
    if isinstance(source, list):
        return [_parse(item) for item in source]
    if isinstance(source, dict):
        return {key: _parse(item) for key, item in source.items()}
    return source


def _fill(parsed: Any, case: Case, scope: JsonObject) -> Any:
    if isinstance(parsed, _TextTemplate):
        if parsed.uses_expected and scope["expected"] is None:
            raise Invalid(f"the value uses {{{{expected}}}}, which case '{case.id}' does not have")
        text = render(parsed.nodes, scope, limit=OUTPUT_LIMIT)
        missing = next((name for name in parsed.names if _lookup(scope, name) is None), None) if not text else None
        if missing is not None:
            raise Invalid(f"the value is empty for case '{case.id}', which has no {{{{{missing}}}}}")
        return text
    if isinstance(parsed, list):
        return [_fill(item, case, scope) for item in parsed]
    if isinstance(parsed, dict):
        return {key: _fill(item, case, scope) for key, item in parsed.items()}
    return parsed


def _lookup(scope: JsonObject, dotted_name: str) -> Any:
    """Return the value of a name, whose parts go into objects and, by numbers, into lists; None where there is none."""
    value: Any = scope
    for name in dotted_name.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _scope_of(case: Case) -> JsonObject:
    """Return the names that a template sees; a variable `expected` or `metadata` replaces what the case lacks."""
    scope = dict(case.vars)
    if case.expected is not None or "expected" not in scope:
        scope["expected"] = case.expected
    if case.metadata or "metadata" not in scope:
        scope["metadata"] = case.metadata
    return scope
