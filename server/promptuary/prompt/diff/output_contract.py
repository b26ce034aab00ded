"""What a version guarantees to readers of the model's responses: the response's schema and the tool calls in it.

A loss is a guarantee of the old version that the new one does not have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.diff.schemas import Loss, SchemaSubject, schema_losses

_WRAPPER_KEYS = ("json_schema", "schema")
Dict = dict[str, Any]


@dataclass(frozen=True)
class OutputSchema:
    """The JSON Schema of a response and its path in the response format; the schema is None for free text."""

    schema: Any
    path: str
    strict: bool | None


def output_schema(response_format: Dict | None) -> OutputSchema:
    """Return the schema of a response format: in OpenAI's form (`json_schema.schema`), under `schema`, or the format itself."""
    if response_format is None or response_format.get("type") == "text":
        return OutputSchema(None, "", None)
    if response_format.get("type") == "json_object":
        return OutputSchema({"type": "object"}, "", None)
    schema, path = response_format, ""
    for key in _WRAPPER_KEYS:
        if isinstance(schema.get(key), dict):
            schema, path = schema[key], f"{path}.{key}"
    wrapper = response_format.get("json_schema")
    strict = (wrapper if isinstance(wrapper, dict) else response_format).get("strict")
    return OutputSchema(schema, path, strict if isinstance(strict, bool) else None)


def response_losses(before: Dict | None, after: Dict | None) -> dict[str, str]:
    """Return the losses of a program that reads the responses: the path in the content that causes each → the reason."""
    root = "response_format"
    old, new = output_schema(before), output_schema(after)
    if new.schema is None:
        return {} if old.schema is None else {root: "the response was JSON with a schema and is free text now"}
    if old.schema is None:
        return {root: "the response was free text and is JSON with a schema now"}
    path = root + old.path
    losses = _by_path(schema_losses(old.schema, new.schema, SchemaSubject(path, "the response", "field")))
    if old.path != new.path:
        return _joined(root, losses)
    if old.strict and not new.strict and old.path:
        strict_path = f"{root}.json_schema.strict" if old.path.startswith(".json_schema") else f"{root}.strict"
        losses[strict_path] = "the response's schema is no longer enforced (strict)"
    return losses


def tools_by_name(tools: list[Dict] | None) -> dict[str, Dict]:
    """Return the tools by function name, in order.

    A tool without a name is under its index; a second one of the same name is under `name#index`.
    """
    by_name: dict[str, Dict] = {}
    for index, tool in enumerate(tools or []):
        function = _function(tool)[0]
        name = function.get("name")
        key = name if isinstance(name, str) and name else str(index)
        by_name[key if key not in by_name else f"{key}#{index}"] = tool
    return by_name


def tool_losses(before: list[Dict] | None, after: list[Dict] | None) -> dict[str, str]:
    """Return the losses of an application that executes the tool calls: the path in the content → the reason."""
    old, new = tools_by_name(before), tools_by_name(after)
    losses = {f"tools.{name}": f"the tool '{name}' is removed" for name in old if name not in new}
    for name in new:
        if name not in old:
            losses[f"tools.{name}"] = (
                f"the tool '{name}' is new, and the model may call it in an application that does not know it"
            )
    for name in [name for name in old if name in new]:
        old_parameters, old_path = _parameters(old[name])
        new_parameters, new_path = _parameters(new[name])
        path = f"tools.{name}"
        subject = SchemaSubject(path + old_path, f"a call of the tool '{name}'", "argument", closed=True)
        call_losses = _by_path(schema_losses(old_parameters, new_parameters, subject))
        losses |= call_losses if old_path == new_path else _joined(path, call_losses)
    return losses


def _function(tool: Dict) -> tuple[Dict, str]:
    """Return the tool's function and its path: in OpenAI's form (`function`), or the tool itself."""
    function = tool.get("function")
    return (function, ".function") if isinstance(function, dict) else (tool, "")


def _parameters(tool: Dict) -> tuple[Any, str]:
    """Return the schema of the arguments and its path; a tool without a schema has no arguments."""
    function, path = _function(tool)
    for key in ("parameters", "input_schema"):
        if key in function:
            return function[key], f"{path}.{key}"
    return {}, ""


def _by_path(losses: Iterable[Loss]) -> dict[str, str]:
    """Return the distinct reasons of each path, joined to one text."""
    reasons: dict[str, list[str]] = {}
    for loss in losses:
        reasons.setdefault(loss.path, []).append(loss.reason)
    return {path: "; ".join(dict.fromkeys(texts)) for path, texts in reasons.items()}


def _joined(path: str, losses: dict[str, str]) -> dict[str, str]:
    """Return all losses under one path; nothing where there are none."""
    return {path: "; ".join(dict.fromkeys(losses.values()))} if losses else {}
