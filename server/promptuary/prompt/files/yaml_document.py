"""YAML and JSON texts read safely: no tags, no aliases, no key twice, no NUL; and every value's line is known."""

import math
from dataclasses import dataclass
from typing import Any

import yaml

from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.yaml_core_schema import CoreLoader
from promptuary.prompt.text import refused_character, refused_position

DEPTH_LIMIT = 64
_INTEGER_LIMIT = 2**63


class InvalidFile(Invalid):
    """A file cannot be read as what it should be; the faults name lines and fields."""

    code = "invalid_file"


@dataclass(frozen=True)
class YamlDocument:
    """A parsed text and the line in which each value begins, by dotted path."""

    value: Any
    lines: dict[str, int]

    def with_line(self, fault: FieldError) -> FieldError:
        """Give the fault the line of its path, or of the nearest path above it that is in the text."""
        path = fault.path
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return FieldError(fault.path, fault.message, self.lines.get(path, 1))


class _NoAlias(yaml.SafeLoader):
    """Takes no alias, so that a few lines cannot grow into gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not taken", problem_mark=self.get_mark())
        return super().compose_node(parent, index)


class _Reader(_NoAlias):
    """PyYAML's safe loader, which reads YAML 1.1."""


class _CoreReader(_NoAlias, CoreLoader):
    """The safe loader by the core schema of YAML 1.2."""


def parse_yaml(text: str, source: str, *, core: bool = False) -> YamlDocument:
    """Parse YAML (and so JSON) into plain values.

    Args:
        text: the YAML.
        source: what errors call it.
        core: by YAML 1.2's core schema, for files that are written for programs that read so; by default by 1.1.

    Raises:
        InvalidFile: naming the source, the line and what is wrong.
    """
    lines: dict[str, int] = {}
    try:
        if reason := refused_character(text):
            raise _fault(reason, 1 + text[: refused_position(text)].count("\n"))
        loader = _CoreReader(text) if core else _Reader(text)
        try:
            node = loader.get_single_node()
            value = None if node is None else _value(loader, node, "", lines, 0)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        fault = FieldError("", str(error.problem or error.context or "cannot be read"), mark.line + 1 if mark else None)
        raise InvalidFile(f"{source} is not valid YAML", [fault]) from None
    except yaml.YAMLError as error:
        raise InvalidFile(f"{source} is not valid YAML", [FieldError("", str(error).splitlines()[0])]) from None
    except InvalidFile as error:
        raise InvalidFile(f"{source} is not taken", error.field_errors) from None
    except ValueError as error:  # PyYAML lets `chr` refuse an escape like "\\U00110000"
        raise InvalidFile(f"{source} is not valid YAML", [FieldError("", str(error))]) from None
    except RecursionError:
        raise InvalidFile(f"{source} is not taken", [FieldError("", f"nested more than {DEPTH_LIMIT} deep")]) from None
    return YamlDocument(value, lines)


def _fault(message: str, line: int, path: str = "") -> InvalidFile:
    return InvalidFile("not taken", [FieldError(path, message, line)])


def _value(loader: _NoAlias, node: yaml.Node, path: str, lines: dict[str, int], depth: int) -> Any:
    line = node.start_mark.line + 1
    if depth > DEPTH_LIMIT:
        raise _fault(f"nested more than {DEPTH_LIMIT} deep", line, path)
    lines.setdefault(path, line)
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _joined(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag == "tag:yaml.org,2002:merge":
                raise _fault("a key must be plain text", key_node.start_mark.line + 1, path)
            if flaw := _flaw(key):
                raise _fault(f"a key {flaw}", key_node.start_mark.line + 1, path)
            if key in result:
                raise _fault(f"the key '{key}' is given twice", key_node.start_mark.line + 1, path)
            result[key] = _value(loader, value_node, f"{path}.{key}" if path else key, lines, depth + 1)
        return result
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [
            _value(loader, item, f"{path}.{number}" if path else str(number), lines, depth + 1)
            for number, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode) and node.tag.startswith("tag:yaml.org,2002:"):
        kind = node.tag.rpartition(":")[2]
        if kind in ("str", "int", "float", "bool", "null"):
            return _scalar(loader, node, path)
        if kind == "timestamp" and not node.style:
            return node.value
    raise _fault(f"the tag {node.tag} is not taken", line, path)


def _scalar(loader: _NoAlias, node: yaml.ScalarNode, path: str) -> Any:
    """Read one plain value; what JSON cannot say is refused here, where its line is known."""
    line = node.start_mark.line + 1
    try:
        value = loader.construct_object(node)
    except (ValueError, KeyError):
        raise _fault("is not a value of its kind, or has too many digits", line, path) from None
    if isinstance(value, str):
        value = _joined(value)
    if flaw := _flaw(value):
        raise _fault(flaw, line, path)
    return value


def _joined(text: str) -> str:
    """Put the two halves of a character together that JSON writes as two escapes, which PyYAML takes one by one."""
    if refused_character(text) is None:
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return text  # half of a character, which the caller refuses


def _flaw(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "is a number that JSON does not have"
    if isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return "is an integer beyond 64 bits"
    return refused_character(value) if isinstance(value, str) else None
