"""Strict reading of YAML and JSON: no tags, duplicate keys or NUL characters, and each value has its line number.

Aliases (`*name`) and merges (`<<: *name`) are expanded, up to a limit: a few lines could expand to gigabytes.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.unquoted_template import quoting_advice
from promptuary.prompt.files.yaml_core_schema import CoreLoader
from promptuary.prompt.numbers import RoundedNumber, read_float
from promptuary.prompt.text import refused_character, refused_position

DEPTH_LIMIT = 64
EXPANDED_LIMIT = 10_000
"""The most values that the aliases of a text expand to."""
EXPANDED_CHARACTERS = 10_000_000
"""The most characters of those values."""
_MERGE = "tag:yaml.org,2002:merge"
_INTEGER_LIMIT = 2**63
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_KEY_IS_NO_TEXT = "a key must be plain text"


class InvalidFile(Invalid):
    """A file is not valid; the field errors name lines and fields."""

    code = "invalid_file"


@dataclass(frozen=True)
class YamlDocument:
    """A parsed text.

    Attributes:
        value: its plain value.
        lines: by dotted path, the line where each value begins, counted from 1.
        plain: by dotted path, each number or boolean that is written without quotes: its text and its value.
        expansion: what its aliases expand to.
    """

    value: Any
    lines: dict[str, int]
    plain: dict[str, tuple[str, Any]] = field(default_factory=dict)
    expansion: "_Expansion" = field(default_factory=lambda: _Expansion(), compare=False)

    def with_line(self, error: FieldError) -> FieldError:
        """Return the error with the line of its path, or of the nearest parent path that is in the text."""
        path = error.path
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return FieldError(error.path, error.message, self.lines.get(path, 1))


@dataclass
class _Expansion:
    """The nodes that were read, and the values and characters that are there again by an alias."""

    read: set[int] = field(default_factory=set)
    values: int = 0
    characters: int = 0

    def add(self, node: yaml.Node) -> bool:
        """Count a node; return whether the limit is kept."""
        if id(node) in self.read:
            self.values += 1
            self.characters += len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        self.read.add(id(node))
        return self.values <= EXPANDED_LIMIT and self.characters <= EXPANDED_CHARACTERS


class _JsonNumberLoader(yaml.SafeLoader):
    """The loader for YAML 1.1, in which the numbers of JSON are numbers: YAML 1.1 reads 1e-5 as a text."""


_JsonNumberLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?[eE][-+]?[0-9]+$"), [*"-0123456789"]
)


def parse_yaml(text: str, source: str, *, core: bool = False) -> YamlDocument:
    """Parse YAML (and so JSON) into plain values.

    Args:
        text: the YAML.
        source: the name of the text in error messages.
        core: whether scalars follow YAML 1.2's core schema, for files of JavaScript programs, instead of YAML 1.1.

    Raises:
        InvalidFile: the text is not valid; the message names the source, and the field error the line.
    """
    document = YamlDocument(None, {})
    language = "JSON" if source.lower().endswith(".json") else "YAML"
    text = _without_tabs_of_json(text)
    try:
        if reason := refused_character(text):
            raise _error(reason, 1 + text[: refused_position(text)].count("\n"))
        loader = CoreLoader(text) if core else _JsonNumberLoader(text)
        try:
            node = loader.get_single_node()
            value = None if node is None else _value(loader, node, "", document, 0)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        message = str(error.problem or error.context or "cannot be read")
        field_error = _with_advice(FieldError("", message, mark.line + 1 if mark else None), text)
        if language == "JSON" and _begins_as_json(text):
            field_error = _json_error(text) or field_error
        raise InvalidFile(f"{source} is not valid {language}", [field_error]) from None
    except yaml.YAMLError as error:
        raise InvalidFile(f"{source} is not valid {language}", [FieldError("", str(error).splitlines()[0])]) from None
    except InvalidFile as error:
        field_errors = [
            _with_advice(field_error, text) if field_error.message == _KEY_IS_NO_TEXT else field_error
            for field_error in error.field_errors
        ]
        raise InvalidFile(f"{source} is not supported {language}", field_errors) from None
    except ValueError as error:  # PyYAML passes on the error of `chr` for an escape like "\\U00110000"
        raise InvalidFile(f"{source} is not valid {language}", [FieldError("", str(error))]) from None
    except RecursionError:
        raise InvalidFile(
            f"{source} is not supported {language}", [FieldError("", f"nested more than {DEPTH_LIMIT} deep")]
        ) from None
    return replace(document, value=value)


def _without_tabs_of_json(text: str) -> str:
    """Return JSON with a space for each tab, which YAML does not take as white space; no text in JSON has one unescaped."""
    is_json = "\t" in text and _begins_as_json(text) and _json_error(text) is None
    return text.replace("\t", " ") if is_json else text


def _begins_as_json(text: str) -> bool:
    """Return whether a text begins with an object or a list of JSON, and not as other YAML in a file of that name."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _json_error(text: str) -> FieldError | None:
    """Return why a text is not JSON; None for one that is, or that is nested too deep to be parsed."""
    try:
        json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        return FieldError("", f"{error.msg} (column {error.colno})", error.lineno)
    except (RecursionError, ValueError):
        return None
    return None


def _with_advice(error: FieldError, text: str) -> FieldError:
    """Return an error with the advice to quote a template, where one without quotes is the reason."""
    advice = quoting_advice(text, error.line) if error.line else None
    return FieldError(error.path, advice[1], advice[0]) if advice else error


def _error(message: str, line: int, path: str = "") -> InvalidFile:
    return InvalidFile("not supported", [FieldError(path, message, line)])


def _value(loader: yaml.SafeLoader, node: yaml.Node, path: str, document: YamlDocument, depth: int) -> Any:
    line = node.start_mark.line + 1
    if depth > DEPTH_LIMIT:
        raise _error(f"nested more than {DEPTH_LIMIT} deep", line, path)
    if not document.expansion.add(node):
        limit = f"{EXPANDED_LIMIT:,} values or {EXPANDED_CHARACTERS:,} characters"
        raise _error(f"the aliases expand to more than {limit}; write out what is needed", line, path)
    document.lines.setdefault(path, line)
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return _mapping(loader, node, path, document, depth)
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [
            _value(loader, item, f"{path}.{index}" if path else str(index), document, depth + 1)
            for index, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode) and node.tag.startswith("tag:yaml.org,2002:"):
        type_name = node.tag.rpartition(":")[2]
        if type_name in ("str", "int", "float", "bool", "null"):
            scalar = _scalar(loader, node, path)
            if not node.style and isinstance(scalar, bool | int | float):
                document.plain[path] = node.value, scalar
            return scalar
        if type_name == "timestamp" and not node.style:
            return node.value
    raise _error(f"the tag {node.tag} is not supported", line, path)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: str, document: YamlDocument, depth: int) -> dict[str, Any]:
    """Return a mapping. What `<<` merges stands at its place, and gives way to the mapping's own keys, wherever they are."""
    result: dict[str, Any] = {}
    own: set[str] = set()
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag == _MERGE:
            for name, value in _merged(loader, value_node, path, document, depth):
                result.setdefault(name, value)
            continue
        key = _join_surrogates(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
        if key is None:
            raise _error(_KEY_IS_NO_TEXT, line, path)
        if problem := _problem(key):
            raise _error(f"a key {problem}", line, path)
        if key in own:
            raise _error(f"the key '{key}' occurs twice", line, path)
        own.add(key)
        result[key] = _value(loader, value_node, f"{path}.{key}" if path else key, document, depth + 1)
    return result


def _merged(
    loader: yaml.SafeLoader, node: yaml.Node, path: str, document: YamlDocument, depth: int
) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a merged mapping, or of a list of them, of which the earlier has precedence."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for merged in nodes:
        value = _value(loader, merged, path, document, depth + 1)
        if not isinstance(value, dict):
            raise _error("`<<` merges mappings only", merged.start_mark.line + 1, path)
        yield from value.items()


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode, path: str) -> Any:
    """Return a scalar's value; raise an error with its line for a value that JSON cannot represent."""
    line = node.start_mark.line + 1
    try:
        value = loader.construct_object(node)
    except (ValueError, KeyError):
        raise _error("is not a value of its type, or has too many digits", line, path) from None
    if isinstance(value, str):
        value = _join_surrogates(value)
    elif isinstance(value, float) and _DECIMAL.fullmatch(node.value):
        value = read_float(node.value)
    elif value == 0 and node.value == "-0":
        value = -0.0  # no integer has its minus
    if problem := _problem(value):
        raise _error(problem, line, path)
    return value


def _join_surrogates(text: str) -> str:
    """Return the text with surrogate pairs joined: JSON writes such a character as two escapes, which PyYAML reads as two."""
    if refused_character(text) is None:
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return text  # a lone surrogate, which the caller refuses


def _problem(value: Any) -> str | None:
    """Return why a value cannot be stored as JSON, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return "is a number that JSON cannot represent"
    if isinstance(value, RoundedNumber) and not value:
        return "is a number too small for a double; write 0"
    if isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return "is an integer beyond 64 bits"
    return refused_character(value) if isinstance(value, str) else None
