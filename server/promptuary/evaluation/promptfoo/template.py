"""Nunjucks templates as promptfoo uses them: filled where the values are known, or turned into a format of ours.

`{{name}}` and `{{a.b}}` are mustache here. What has filters or blocks is read by our Jinja reader, which runs no code.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import Unsupported
from promptuary.prompt.content import TEMPLATE_LIMIT
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.jinja import parser as jinja
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT
from promptuary.prompt.templates.rendering import render as render_nodes
from promptuary.prompt.templates.value import is_number

_PLAIN = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}")
_OPENS = re.compile(r"\{\{|\{%|\{#")
_WORDS = frozenset({"true", "false", "none", "null", "loop", "not"})
_ONE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_USED = re.compile(r"\{\{\s*([^{}\s|]+)\s*(?:\|[^}]+)?\}\}|\{%\s*(?:if|for)\s+([^{}\s]+)\s*.*?%\}")
_LOOP = re.compile(r"\{%\s*for\s+(\w+)\s+in\s+(\w+)\s*%\}")
_PAIRS = (("{%", "%"), ("{{", "}"), ("{#", "#"))
_RAW = (re.compile(r"\{%\s*raw\s*%\}"), re.compile(r"\{%\s*endraw\s*%\}"))
_DUMP = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\|\s*dump(?:\(\s*(\d?)\s*\))?\s*\}\}")
_NO_EXPRESSION = re.compile(r"""\{\{\s*["'{][^{}]*["']?\s*:""")
_LENGTH_IN_TAG = re.compile(r"\{[{%](?:(?![}%]\}).)*?\.length\b", re.DOTALL)
_ROUNDS = 5
_MARKS = (("<%", "%>"), ("<<", ">>"), ("[[", "]]"), ("<@", "@>"), ("<$", "$>"))


class BrokenTemplate(Unsupported):
    """The text has braces that are a template in no reader, such as an object inside an object of JavaScript."""


def to_javascript_text(value: Any) -> str:
    """Return a value as JavaScript writes it into a text: a list with commas, an object as `[object Object]`."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(to_javascript_text, value))
    return "[object Object]" if isinstance(value, dict) else str(whole_floats_to_int(value))


def to_javascript_texts(values: list[Any]) -> list[Any]:
    """Return the items of a list as JavaScript's `String` writes each; numbers stay as they are."""
    return ["null" if value is None else value if is_number(value) else to_javascript_text(value) for value in values]


def whole_floats_to_int(value: Any) -> Any:
    """Return a value with its whole floats as integers: JavaScript has one kind of number, and shows 1.0 as 1."""
    if isinstance(value, list):
        return [whole_floats_to_int(item) for item in value]
    if isinstance(value, dict):
        return {key: whole_floats_to_int(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def is_plain(source: str) -> bool:
    """Return whether a template only inserts values, by names and paths."""
    paths = [match.split(".") for match in _PLAIN.findall(source)]
    return not _OPENS.search(_PLAIN.sub("", source)) and not any(
        path[0] in _WORDS or (len(path) > 1 and path[-1] == "length") for path in paths
    )


def variable_paths(source: str) -> list[str]:
    """List the paths that a plain template shows."""
    return _PLAIN.findall(source)


def fill_template(source: str, values: RawObject) -> str:
    """Render a template with values; what has no value is empty.

    Raises:
        Unsupported: for what our reader does not take.
    """
    if _OPENS.search(source) and len(source) > TEMPLATE_LIMIT:
        raise Unsupported(f"a text with braces is over the limit of {TEMPLATE_LIMIT} characters")
    source, values = _with_dumps(source, values)
    if is_plain(source):
        return _PLAIN.sub(lambda match: to_javascript_text(_look_up(match[1], values)), source)
    try:
        return render_nodes(jinja.parse(_keep_final_newline(source)), values, limit=OUTPUT_LIMIT)
    except Invalid as error:
        refusal = BrokenTemplate if _NO_EXPRESSION.search(source) else Unsupported
        raise refusal(f"the template {_first(source)} cannot be read here: {_words(error)}") from None


def _with_dumps(source: str, values: RawObject) -> tuple[str, RawObject]:
    """Replace `{{ name | dump }}`, which our reader does not have, by variables with the JSON that it makes."""
    dumps: RawObject = {}

    def put(match: re.Match[str]) -> str:
        name = f"_dump_{len(dumps)}"
        value = whole_floats_to_int(_look_up(match[1], values))
        indent = int(match[2]) if match[2] else None
        dumps[name] = json.dumps(value, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
        return f"{{{{ {name} }}}}"

    replaced = _DUMP.sub(put, source)
    return replaced, {**values, **dumps} if dumps else values


def convert_template(source: str) -> tuple[Literal["mustache", "jinja2"], str]:
    """Convert a prompt's template to a format of ours.

    Raises:
        Unsupported: for what our reader does not take.
    """
    if is_plain(source):
        return "mustache", source
    if _is_literal(source):
        return "mustache", escape_mustache(source)
    try:
        jinja.parse(_keep_final_newline(source))
    except Invalid as error:
        raise Unsupported(f"the template {_first(source)} cannot be read here: {_words(error)}") from None
    return "jinja2", _keep_final_newline(source)


def escape_mustache(value: Any) -> Any:
    """Return a value whose texts mean themselves in mustache: one with braces changes the delimiters first."""
    if isinstance(value, list):
        return [escape_mustache(item) for item in value]
    if isinstance(value, dict):
        return {key: escape_mustache(item) for key, item in value.items()}
    if not isinstance(value, str) or "{{" not in value:
        return value
    for opener, closer in _MARKS:
        if opener not in value:
            # The comment keeps the change of delimiters from standing alone in its line, which would swallow the line.
            return f"{{{{={opener} {closer}=}}}}{opener}! {closer}{value}"
    raise Unsupported("a text has braces and every other pair of delimiters in it")


def resolve_variables(values: RawObject) -> RawObject:
    """Return variables as assertions see them: references to other variables are replaced, five rounds deep.

    Raises:
        Unsupported: for one that grows without measure.
    """
    filled = {name: value.removesuffix("\n") if isinstance(value, str) else value for name, value in values.items()}
    for _ in range(_ROUNDS):
        unchanged = True
        for name, value in filled.items():
            match = _ONE.search(value) if isinstance(value, str) else None
            if match and filled.get(match[1]) is not None:
                filled[name] = value.replace(match[0], to_javascript_text(filled[match[1]]), 1)
                if len(filled[name]) > OUTPUT_LIMIT:
                    raise Unsupported(f"the variable '{name}' grows over {OUTPUT_LIMIT} characters by what is put into it")
                unchanged = False
        if unchanged:
            break
    return filled


def fill_variables(values: RawObject) -> RawObject:
    """Return resolved variables as a text prompt sees them: their own templates are filled, where every name has a value.

    Raises:
        Unsupported: for a variable whose template our reader does not take.
    """
    return {name: _prompted(value, values) if isinstance(value, str) else value for name, value in values.items()}


def _prompted(value: str, values: RawObject) -> str:
    if (
        not _OPENS.search(value)
        or len(value) > TEMPLATE_LIMIT
        or _is_literal(value)
        or any(values.get(root) is None for root in _roots(value))
    ):
        return value
    return fill_template(value, values)


def _roots(source: str) -> set[str]:
    """Return the variables that a template uses, as promptfoo finds them."""
    source = re.sub(r"\{#[\s\S]*?#\}", "", source)
    filled = {first or second for first, second in _USED.findall(source)}
    for name, over in _LOOP.findall(source):
        filled.discard(name)
        filled.add(over)
    roots = (re.match(r"[A-Za-z_]\w*", name) for name in filled)
    return {root[0] for root in roots if root} - {"env"}


def _is_literal(source: str) -> bool:
    """Return whether a tag is not closed in its line; promptfoo then takes the text as it is."""
    if all(mark.search(source) for mark in _RAW):
        return False
    lines = [line for line in source.split("\n") if "{" in line]
    return any((at := line.rfind(opener)) >= 0 and closer not in line[at + 2 :] for line in lines for opener, closer in _PAIRS)


def _look_up(path: str, values: RawObject) -> Any:
    value: Any = values
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _keep_final_newline(source: str) -> str:
    """Return the source with a second final newline, because Jinja removes one."""
    if _LENGTH_IN_TAG.search(source):
        raise Unsupported("`.length` is JavaScript's; write `| length`")
    return source + "\n" if source.endswith("\n") else source


def _first(source: str) -> str:
    match = _OPENS.search(source)
    at = match.start() if match else 0
    return f"'{source[at : at + 40]}{'…' if len(source) > at + 40 else ''}'"


def _words(error: Invalid) -> str:
    return error.field_errors[0].message if error.field_errors else error.message
