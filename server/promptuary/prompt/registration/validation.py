"""What a content must meet to be registered, beyond what rendering needs: valid tools, schemas, declarations and config."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptuary.prompt.content import VARIABLES_LIMIT, Content, Placeholder
from promptuary.prompt.errors import FieldError, Invalid, InvalidPrompt
from promptuary.prompt.json_schema.checks import SCHEMA_TYPES, check_schema
from promptuary.prompt.model_settings import is_provider_tool
from promptuary.prompt.registration.agent_messages import message_field_errors
from promptuary.prompt.registration.declarations import config_errors, declaration_errors, value_text
from promptuary.prompt.registration.declared_paths import path_errors
from promptuary.prompt.registration.image_variables import image_variable_errors
from promptuary.prompt.registration.tool_arguments import argument_errors
from promptuary.prompt.templates.other_syntax import refused_tags
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt

TOOLS_LIMIT = 128
CONFIG_LIMIT = 64 * 1024
CONFIG_DEPTH = 48
"""How deep a config may be nested: less than a request or a file, in which it stands at some depth itself."""
SCHEMA_LIMIT = 5_000
"""The most parts of all schemas of a prompt together; checking a schema takes about a third of a millisecond per part."""
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_PLAIN_FORMATS = ("text", "json_object")


def validate_content(
    content: Content, *, resolved: bool = True, jinja2: bool = False, config_limit: int = CONFIG_LIMIT
) -> PreparedPrompt:
    """Check a whole content, and return it prepared.

    Args:
        content: the content to register.
        resolved: as for `prepare`.
        jinja2: as for `prepare`.
        config_limit: the most bytes of its config, as compact JSON.

    Raises:
        InvalidPrompt: with every error of its templates, variables, context, tools, response format and config.
    """
    schemas = _SchemaCheck()
    schemas.check_tools(content.tools or ())
    schemas.check_response_format(content.response_format)
    field_errors = [*declaration_errors(content), *schemas.field_errors]
    field_errors += config_errors(content.config, config_limit, CONFIG_DEPTH)
    try:
        prepared = prepare(content, resolved=resolved, jinja2=jinja2)
    except InvalidPrompt as error:
        raise InvalidPrompt(error.message, [*error.field_errors, *field_errors]) from None
    if len(prepared.variables) > VARIABLES_LIMIT:
        message = f"has {len(prepared.variables)} variables, declared and only used; the limit is {VARIABLES_LIMIT}"
        field_errors.append(FieldError("variables", message))
    field_errors += [*message_field_errors(content), *argument_errors(prepared), *path_errors(prepared)]
    field_errors += [*image_variable_errors(prepared), *_other_syntax_errors(prepared)]
    if field_errors:
        raise InvalidPrompt("the prompt cannot be used", field_errors)
    return prepared


def _other_syntax_errors(prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield an error for each mustache tag that is meant for another template language."""
    if prepared.content.format != "mustache":
        return
    for part in prepared.parts:
        for path, nodes in () if isinstance(part, Placeholder) else part.templates():
            for name, advice, line in refused_tags(nodes, prepared.content.variables.keys()):
                yield FieldError(path, f"'{name[:80]}' is no name of a value; {advice} (line {line} of the template)")


class _SchemaCheck:
    """One check of everything in a content that has JSON Schemas; it collects every error."""

    def __init__(self) -> None:
        self.field_errors: list[FieldError] = []
        self.remaining = SCHEMA_LIMIT

    def check_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Check tools: OpenAI's `{type: function, function: {name, description, parameters}}`, or the function alone.

        A provider's own tool, such as `{type: web_search}`, is the provider's to check.
        """
        if len(tools) > TOOLS_LIMIT:
            self._add_error("tools", f"there are more than {TOOLS_LIMIT}")
            return
        names: dict[str, int] = {}
        for number, tool in enumerate(tools):
            path = f"tools.{number}"
            if is_provider_tool(tool):
                continue
            if "function" in tool:
                path, tool = f"{path}.function", tool["function"]
                if not isinstance(tool, dict):
                    self._add_error(path, "must be an object")
                    continue
            name = tool.get("name")
            if not isinstance(name, str) or not _TOOL_NAME.match(name):
                self._add_error(f"{path}.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")
            elif (first := names.setdefault(name, number)) != number:
                self._add_error(f"{path}.name", f"'{name}' is the name of tools.{first} already")
            if not isinstance(tool.get("description", ""), str):
                self._add_error(f"{path}.description", "must be a string")
            for key in ("parameters", "input_schema"):
                if key in tool:
                    self._check_schema(f"{path}.{key}", tool[key])

    def check_response_format(self, response_format: Mapping[str, Any] | None) -> None:
        """Check OpenAI's `{type: json_schema, json_schema: {name, schema}}`, its plain formats, or a JSON Schema by itself."""
        if response_format is None or response_format.get("type") in _PLAIN_FORMATS:
            return
        schema_type = response_format.get("type")
        if schema_type != "json_schema":
            if isinstance(schema_type, list) or schema_type in (None, *SCHEMA_TYPES):
                self._check_schema("response_format", dict(response_format))
            else:
                self._add_error("response_format.type", _unknown_type(schema_type))
            return
        inner = response_format.get("json_schema")
        if not isinstance(inner, dict) or "schema" not in inner:
            self._add_error("response_format.json_schema", "must be an object with a `name` and a `schema`")
            return
        if not isinstance(inner.get("name"), str) or not _TOOL_NAME.match(inner["name"]):
            self._add_error("response_format.json_schema.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")
        if not isinstance(inner.get("strict"), bool | None):
            self._add_error("response_format.json_schema.strict", "must be true or false")
        self._check_schema("response_format.json_schema.schema", inner["schema"])

    def _check_schema(self, path: str, schema: Any) -> None:
        if self.remaining > 0:
            try:
                self.remaining -= check_schema(schema, limit=SCHEMA_LIMIT)
            except Invalid as error:
                self._add_error(path, error.message)
        if self.remaining < 0:
            self._add_error(path, f"with this, the prompt's schemas have more than {SCHEMA_LIMIT} parts together")
            self.remaining = 0

    def _add_error(self, path: str, message: str) -> None:
        self.field_errors.append(FieldError(path, message))


def _unknown_type(schema_type: Any) -> str:
    forms = ", ".join((*_PLAIN_FORMATS, "json_schema"))
    return f"is {value_text(schema_type)}: must be one of {forms}; or, in a JSON Schema, one of {', '.join(SCHEMA_TYPES)}"
