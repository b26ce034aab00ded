"""Templates of requests: mustache as in prompts, and `{{env.NAME}}` for a variable of the environment."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.jinja import parser as jinja
from promptuary.prompt.templates.json_text import JsonTextRenderer
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Node, Tag

ENVIRONMENT = "env"
"""The name of the environment in a template; a case's variable of this name is hidden by it."""
_TAG = re.compile(r"\{\{\s*env(?:\.(\w+)|\[['\"](\w+)['\"]\])\s*\}\}")
_AUTHORITY = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/?#{]*(?:\{\{[^{}]*\}\}[^/?#{]*)*")
Values = JsonObject
"""JSON values by name: the variables of a case, and under `env` those of the environment."""


@dataclass(frozen=True)
class TextTemplate:
    """A text with its parsed tags.

    Attributes:
        nodes: of the template.
        strict: whether a name without a value is an error where it is shown; else it is empty.
    """

    nodes: tuple[Node, ...]
    strict: bool = True

    @property
    def only_tag(self) -> Tag | None:
        """The template's one tag, where the template is nothing else."""
        return self.nodes[0] if len(self.nodes) == 1 and isinstance(self.nodes[0], Tag) else None

    def text(self, values: Values, place: str, *, in_json: bool = False) -> str:
        """Render the text.

        Args:
            values: JSON values by name.
            place: what the template is, for errors.
            in_json: whether each value is written as inside a JSON string.

        Raises:
            Invalid: for a value that is missing or of a wrong type.
        """
        renderer = JsonTextRenderer if in_json else TemplateRenderer
        return renderer(OUTPUT_LIMIT, strict=self.strict, shows_members=False).render(self.nodes, values, place)


def parse_text(source: str, *, jinja2: bool = False, strict: bool = True) -> TextTemplate:
    """Parse a template of a text.

    Raises:
        Invalid: for a template that does not parse.
    """
    source = _TAG.sub(lambda match: "{{" + f"{ENVIRONMENT}.{match[1] or match[2]}" + "}}", source)
    return TextTemplate(jinja.parse(source) if jinja2 else mustache.parse(source), strict)


def environment_names(source: Any) -> Iterator[str]:
    """Yield the names of the variables of the environment that the templates in a JSON value use."""
    if isinstance(source, str):
        for first, second in _TAG.findall(source):
            yield first or second
    elif isinstance(source, list):
        for item in source:
            yield from environment_names(item)
    elif isinstance(source, dict):
        for item in source.values():
            yield from environment_names(item)


@dataclass(frozen=True)
class UrlTemplate:
    """An address: values in its path and query are percent-encoded; scheme and host are taken as they are."""

    authority: TextTemplate
    rest: TextTemplate

    def text(self, values: Values) -> str:
        """Render the address.

        Raises:
            Invalid: for a value that is missing or of a wrong type.
        """
        encoded = {name: _percent_encoded(value) for name, value in values.items()}
        return self.authority.text(values, "url") + self.rest.text(encoded, "url")


def authority_of(source: str) -> str:
    """Return the beginning of an address's template: scheme, host and port."""
    match = _AUTHORITY.match(source)
    return match[0] if match else ""


def parse_url(source: str, *, jinja2: bool = False, strict: bool = True) -> UrlTemplate:
    """Parse the template of an address.

    Raises:
        Invalid: for a template that does not parse.
    """
    authority = authority_of(source)
    rest = source[len(authority) :]
    return UrlTemplate(parse_text(authority, jinja2=jinja2, strict=strict), parse_text(rest, jinja2=jinja2, strict=strict))


def _percent_encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _percent_encoded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_percent_encoded(item) for item in value]
    return quote(value, safe="$") if isinstance(value, str) else value


@dataclass(frozen=True)
class BodyTemplate:
    """A JSON body with its templates.

    Attributes:
        parsed: has the body's shape, with each text as its template.
        read_json: whether a text that is JSON once it is filled counts as its value, as promptfoo has it.
    """

    parsed: Any
    read_json: bool = False

    def fill(self, values: Values) -> Any:
        """Return the body; a single tag is replaced by the value itself, so that numbers and lists keep their types.

        Raises:
            Invalid: for a value that is missing or of a wrong type.
        """
        return self._fill(self.parsed, values, "body")

    def text(self, values: Values, *, in_json: bool) -> str:
        """Return a body that is one text; with `in_json`, values are escaped where the text is no JSON without that.

        Raises:
            Invalid: for a value that is missing, or a text that is no JSON with `in_json`.
        """
        assert isinstance(self.parsed, TextTemplate)
        text = self.parsed.text(values, "body")
        return text if not in_json or _is_json(text) else self.parsed.text(values, "body", in_json=True)

    def _fill(self, parsed: Any, values: Values, place: str) -> Any:
        if isinstance(parsed, dict):
            return {name: self._fill(item, values, f"{place}.{name}") for name, item in parsed.items()}
        if isinstance(parsed, list):
            return [self._fill(item, values, f"{place}.{number}") for number, item in enumerate(parsed)]
        if not isinstance(parsed, TextTemplate):
            return parsed
        if not self.read_json and parsed.only_tag is not None:
            value = _look_up(parsed.only_tag.path, values)
            if value is not None and not isinstance(value, str):
                return value
        text = parsed.text(values, place)
        return _read_json(text) if self.read_json else text


def parse_body(source: Any, parse: Callable[[str], TextTemplate], *, read_json: bool = False) -> BodyTemplate:
    """Parse the templates in a body.

    Raises:
        Invalid: for a template that does not parse.
    """

    def parsed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: parsed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [parsed(item) for item in value]
        return parse(value) if isinstance(value, str) else value

    return BodyTemplate(parsed(source), read_json)


def _look_up(path: tuple[str, ...], values: Values) -> Any:
    value: Any = values
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
