"""What a content must be to be registered, beyond what it must be to be rendered: its tools and answer's form are sound."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, Invalid, InvalidPrompt
from promptuary.prompt.json_schema import check_schema
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt

TOOLS_LIMIT = 128
SCHEMA_LIMIT = 5_000
"""The most parts of all schemas of a prompt together; to check one takes a third of a millisecond a part."""
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_PLAIN_FORMS = ("text", "json_object")


def validate_content(content: Content, *, resolved: bool = True, jinja2: bool = False) -> PreparedPrompt:
    """Check a content whole, and give it prepared.

    Args:
        content: what is to be registered.
        resolved: as for `prepare`.
        jinja2: as for `prepare`.

    Raises:
        InvalidPrompt: with every fault of its templates, variables, context, tools and response format.
    """
    found = _Schemas()
    found.tools(content.tools or ())
    found.response_format(content.response_format)
    try:
        prepared = prepare(content, resolved=resolved, jinja2=jinja2)
    except InvalidPrompt as error:
        raise InvalidPrompt(error.message, [*error.field_errors, *found.field_errors]) from None
    if found.field_errors:
        raise InvalidPrompt("the prompt cannot be used", found.field_errors)
    return prepared


class _Schemas:
    """One walk over what holds JSON Schemas, with the faults found on the way."""

    def __init__(self) -> None:
        self.field_errors: list[FieldError] = []
        self.left = SCHEMA_LIMIT

    def tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Check tools in OpenAI's form, `{type: function, function: {name, description, parameters}}`, or just the function."""
        if len(tools) > TOOLS_LIMIT:
            self._fault("tools", f"there are more than {TOOLS_LIMIT}")
            return
        names: dict[str, int] = {}
        for number, tool in enumerate(tools):
            path = f"tools.{number}"
            if "function" in tool:
                path, tool = f"{path}.function", tool["function"]
                if not isinstance(tool, dict):
                    self._fault(path, "must be an object")
                    continue
            name = tool.get("name")
            if not isinstance(name, str) or not _TOOL_NAME.match(name):
                self._fault(f"{path}.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")
            elif (first := names.setdefault(name, number)) != number:
                self._fault(f"{path}.name", f"'{name}' is the name of tools.{first} already")
            if not isinstance(tool.get("description", ""), str):
                self._fault(f"{path}.description", "must be a string")
            for key in ("parameters", "input_schema"):
                if key in tool:
                    self._schema(f"{path}.{key}", tool[key])

    def response_format(self, form: Mapping[str, Any] | None) -> None:
        """Check OpenAI's `{type: json_schema, json_schema: {name, schema}}`, its plain forms, or a JSON Schema by itself."""
        if form is None or form.get("type") in _PLAIN_FORMS:
            return
        if form.get("type") != "json_schema":
            self._schema("response_format", dict(form))
            return
        inner = form.get("json_schema")
        if not isinstance(inner, dict) or "schema" not in inner:
            self._fault("response_format.json_schema", "must be an object with a `name` and a `schema`")
            return
        if not isinstance(inner.get("name"), str) or not _TOOL_NAME.match(inner["name"]):
            self._fault("response_format.json_schema.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")
        self._schema("response_format.json_schema.schema", inner["schema"])

    def _schema(self, path: str, schema: Any) -> None:
        if self.left > 0:
            try:
                self.left -= check_schema(schema, limit=SCHEMA_LIMIT)
            except Invalid as error:
                self._fault(path, error.message)
        if self.left < 0:
            self._fault(path, f"with this, the prompt's schemas have more than {SCHEMA_LIMIT} parts together")
            self.left = 0

    def _fault(self, path: str, message: str) -> None:
        self.field_errors.append(FieldError(path, message))
