"""What a version promises those who read the model's answers: the form of the answer, and the calls of tools in it."""

from dataclasses import dataclass
from typing import Any

from promptuary.prompt.diff.schemas import schema_losses

_WRAPPED = ("json_schema", "schema")
Dict = dict[str, Any]


@dataclass(frozen=True)
class OutputSchema:
    """The JSON Schema of an answer, and where in the response format it stands; no schema where the answer is free text."""

    schema: Any
    path: str
    strict: bool | None


def output_schema(response_format: Dict | None) -> OutputSchema:
    """Find the schema: in OpenAI's wrapping (`json_schema.schema`), under `schema`, or the response format itself."""
    if response_format is None or response_format.get("type") == "text":
        return OutputSchema(None, "", None)
    if response_format.get("type") == "json_object":
        return OutputSchema({"type": "object"}, "", None)
    inside, path = response_format, ""
    for word in _WRAPPED:
        if isinstance(inside.get(word), dict):
            inside, path = inside[word], f"{path}.{word}"
    wrapper = response_format.get("json_schema")
    strict = (wrapper if isinstance(wrapper, dict) else response_format).get("strict")
    return OutputSchema(inside, path, strict if isinstance(strict, bool) else None)


def response_losses(before: Dict | None, after: Dict | None) -> dict[str, str]:
    """Give what a reader of the answers loses, by the path in the content that is to blame."""
    root = "response_format"
    old, new = output_schema(before), output_schema(after)
    if new.schema is None:
        return {} if old.schema is None else {root: "the answer was JSON of a known form and is free text now"}
    if old.schema is None:
        return {root: "the answer was free text and is JSON of a form now"}
    path = root + old.path
    found = _by_path([(loss.path, loss.why) for loss in schema_losses(old.schema, new.schema, path, "the answer", "field")])
    if old.path != new.path:
        found = {root: "; ".join(dict.fromkeys(found.values()))} if found else {}
    elif old.strict and not new.strict and old.path:
        strict = f"{root}.json_schema.strict" if old.path.startswith(".json_schema") else f"{root}.strict"
        found[strict] = "the answer's form is no longer enforced (strict)"
    return found


def tools_by_name(tools: list[Dict] | None) -> dict[str, Dict]:
    """Give the tools by the name of their function, in order; one without a name, or of a name twice, by its place too."""
    found: dict[str, Dict] = {}
    for number, tool in enumerate(tools or []):
        function = _function(tool)[0]
        name = function.get("name")
        key = name if isinstance(name, str) and name else str(number)
        found[key if key not in found else f"{key}#{number}"] = tool
    return found


def tool_losses(before: list[Dict] | None, after: list[Dict] | None) -> dict[str, str]:
    """Give what an application that carries out the calls loses, by the path in the content that is to blame."""
    old, new = tools_by_name(before), tools_by_name(after)
    found = {f"tools.{name}": f"the tool '{name}' is taken away" for name in old if name not in new}
    for name in new:
        if name not in old:
            found[f"tools.{name}"] = (
                f"the tool '{name}' is new, and an application that does not know it may be told to call it"
            )
    for name in [name for name in old if name in new]:
        held, held_path = _parameters(old[name])
        now, now_path = _parameters(new[name])
        path = f"tools.{name}"
        calls = schema_losses(held, now, path + held_path, f"a call of the tool '{name}'", "argument", closed=True)
        lost = _by_path([(loss.path, loss.why) for loss in calls])
        if lost and held_path != now_path:
            lost = {path: "; ".join(dict.fromkeys(lost.values()))}
        found |= lost
    return found


def _function(tool: Dict) -> tuple[Dict, str]:
    """Find the function in OpenAI's wrapping, or take the tool for it."""
    inside = tool.get("function")
    return (inside, ".function") if isinstance(inside, dict) else (tool, "")


def _parameters(tool: Dict) -> tuple[Any, str]:
    """Find the schema of the arguments; a tool without one takes none."""
    function, path = _function(tool)
    for word in ("parameters", "input_schema"):
        if word in function:
            return function[word], f"{path}.{word}"
    return {}, ""


def _by_path(found: list[tuple[str, str]]) -> dict[str, str]:
    told: dict[str, list[str]] = {}
    for path, why in found:
        told.setdefault(path, []).append(why)
    return {path: "; ".join(dict.fromkeys(whys)) for path, whys in told.items()}
