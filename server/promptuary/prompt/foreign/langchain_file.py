"""Import of LangChain prompts: JSON or YAML files of `prompt.save(…)`, and JSON of `dumpd`.

A file for LangChain's own loader can name classes, files and templates that execute code (as in CVE-2025-68664). Here the
file is data: class names are compared with a list, nothing is imported, and everything but a plain prompt is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft
from promptuary.prompt.foreign.mustache_remarks import langchain_remarks
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.inclusion import content_references
from promptuary.prompt.templates.preparation import prepare

_MESSAGE_ROLES = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "ToolMessage": "tool",
}
_ROLES = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "tool": "tool",
}
_DERIVED = ("input_variables", "optional_variables", "input_types", "validate_template", "_type", "type", "lc_attributes")
_OPENING_MARKS = {"mustache": ("{{",), "jinja2": ("{{", "{%", "{#")}


@dataclass(frozen=True)
class _Template:
    """The template of a `PromptTemplate`: its format, its text and the text's path in the file."""

    format: str
    text: str
    path: str


@dataclass(frozen=True)
class _Message:
    """A message of a chat in our form; the format is None for a placeholder and for a text that is no template."""

    value: dict[str, Any]
    format: str | None
    text_path: str


def is_langchain(value: Any) -> bool:
    """Return whether a parsed file looks like a file of LangChain."""
    return isinstance(value, dict) and (
        value.get("lc") == 1 or isinstance(value.get("_type"), str) or {"template", "input_variables"} <= value.keys()
    )


def read_langchain(value: Any, names: SourceNames) -> list[ImportDraft]:
    """Read the prompt of a LangChain file.

    Args:
        value: the parsed file.
        names: how names become names here, with the fallback for a prompt without one, as most LangChain prompts are.

    Returns:
        one draft; it contains the errors of a file that cannot be imported.
    """
    draft = ImportDraft("", names.fallback, {}, {})
    type_name, fields = _open(value, "", draft)
    draft.name = fields.take("name", str, names.fallback)
    draft.tags = fields.take("tags", list, [])
    if type_name in ("prompt", "PromptTemplate"):
        _text(draft, fields)
    elif type_name in ("chat", "ChatPromptTemplate", "StructuredPrompt"):
        _chat(draft, fields)
    elif type_name:
        draft.add_error("", f"is {type_name!a}; only a prompt template or a chat prompt template can be imported")
    return [draft]


def _open(value: Any, path: str, draft: ImportDraft) -> tuple[str, FieldReader]:
    """Return an object's class or type name and a reader of its fields; the object is in the form of `dumpd` or of `save`."""
    fields = FieldReader(value, path, draft)
    if fields.unread.get("lc") is None:
        return str(fields.unread.get("_type") or ("prompt" if "template" in fields.unread else "")), fields
    lc_type, id_parts = fields.unread.get("type"), fields.unread.get("id")
    name = id_parts[-1] if isinstance(id_parts, list) and id_parts and isinstance(id_parts[-1], str) else ""
    if lc_type != "constructor" or fields.unread.get("lc") != 1:
        subject = f"{name!a}" if name else "an object without a name"
        draft.add_error(path, f"is {subject}, which LangChain did not write completely ({lc_type}); it cannot be imported")
        return "", FieldReader({}, path, draft)
    return name, FieldReader(fields.unread.get("kwargs"), fields.path_of("kwargs"), draft)


def _text(draft: ImportDraft, fields: FieldReader) -> None:
    draft.content_fields["type"] = "text"
    template = _template(draft, fields)
    draft.content_fields |= {"format": template.format, "template": template.text}
    draft.source_paths["template"] = template.path
    _variables(draft, fields, {})
    _finish_fields(draft, fields)


def _template(draft: ImportDraft, fields: FieldReader) -> _Template:
    """Read the template of a `PromptTemplate`."""
    if fields.unread.pop("template_path", None) is not None:
        draft.add_error(
            fields.path_of("template_path"), "names another file, which is not read; put the template into this file"
        )
        return _Template("f-string", "", fields.path)
    template_format = fields.take("template_format", str, "f-string")
    if template_format not in ("f-string", "mustache", "jinja2"):
        draft.add_error(fields.path_of("template_format"), "must be f-string, mustache or jinja2")
        template_format = "f-string"
    text = fields.take("template", str)
    if text is None:
        draft.add_error(fields.path_of("template"), "must be a text")
    return _Template(template_format, text or "", fields.path_of("template"))


def _chat(draft: ImportDraft, fields: FieldReader) -> None:
    optional: dict[str, Any] = {}
    path = fields.path_of("messages")
    messages = [
        _message(draft, value, f"{path}.{index}", optional) for index, value in enumerate(fields.take("messages", list, []))
    ]
    for index, message in enumerate(messages):
        draft.source_paths[f"template.{index}"] = f"{path}.{index}"
        draft.source_paths[f"template.{index}.content"] = message.text_path
    template_format = _common_format(draft, messages)
    for message in messages:
        if message.format is None and message.value["role"] != "placeholder":
            message.value["content"] = _escaped(draft, message.text_path, message.value["content"], template_format)
    template = [message.value for message in messages]
    draft.content_fields |= {"type": "chat", "format": template_format, "template": template}
    draft.source_paths["template"] = path
    schema = fields.take("schema_", dict)
    if schema:
        title = schema.get("title")
        wrapped = {"name": title if isinstance(title, str) else "answer", "schema": schema}
        draft.content_fields["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        draft.source_paths["response_format"] = fields.path_of("schema_")
    _variables(draft, fields, optional)
    _finish_fields(draft, fields)


def _common_format(draft: ImportDraft, messages: Sequence[_Message]) -> str:
    """Return the format of the first template; record an error for every other format."""
    paths: dict[str, str] = {}
    for message in messages:
        if message.format is not None:
            paths.setdefault(message.format, message.text_path)
    template_format = next(iter(paths), "f-string")
    for other, path in list(paths.items())[1:]:
        draft.add_error(path, f"is {other} and another message is {template_format}; a prompt here has one format")
    return template_format


def _message(draft: ImportDraft, value: Any, path: str, optional: dict[str, Any]) -> _Message:
    """Read a message or a placeholder; an optional placeholder is added to `optional` as a variable."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return _Message({"role": _role(draft, path, value[0]), "content": value[1]}, "f-string", f"{path}.1")
    type_name, fields = _open(value, path, draft)
    if type_name == "MessagesPlaceholder" or "variable_name" in fields.unread:
        return _placeholder(fields, optional)
    role_name = fields.take("role", str)
    if type_name in _MESSAGE_ROLES:
        role = _MESSAGE_ROLES[type_name]
    elif role_name is not None:
        role = _role(draft, fields.path_of("role"), role_name)
    else:
        draft.add_error(
            path, f"is {f'{type_name!a},' if type_name else 'an object'} without a role; write the prompt with dumpd"
        )
        fields.unread.clear()
        return _Message({"role": "user", "content": ""}, None, path)
    fields.discard(*_DERIVED)
    if "prompt" in fields.unread:
        template = _message_template(draft, fields.unread.pop("prompt"), fields.path_of("prompt"))
        fields.report_unread("it has no place in a message")
        return _Message({"role": role, "content": template.text}, template.format, template.path)
    content = fields.take("content", (str, list))
    if not isinstance(content, str):
        draft.add_error(fields.path_of("content"), "must be a text; images and other parts have no place in a message here")
    fields.report_unread("it has no place in a message")
    is_template = type_name == "" and isinstance(content, str)  # as in {"role": "user", "content": "{question}"}
    text = content if isinstance(content, str) else ""
    return _Message({"role": role, "content": text}, "f-string" if is_template else None, fields.path_of("content"))


def _placeholder(fields: FieldReader, optional: dict[str, Any]) -> _Message:
    name = fields.take("variable_name", str, "")
    if fields.take("optional", bool, default=False):
        optional[name] = {"type": "array", "required": False}
    fields.report_unread("it has no place in a placeholder")
    return _Message({"role": "placeholder", "name": name}, None, fields.path_of("variable_name"))


def _message_template(draft: ImportDraft, value: Any, path: str) -> _Template:
    """Read the template of a message, which must have exactly one."""
    if isinstance(value, list):
        if len(value) != 1:
            draft.add_error(path, "has several parts; a message here is one text")
            return _Template("f-string", "", path)
        value, path = value[0], f"{path}.0"
    type_name, fields = _open(value, path, draft)
    if type_name not in ("PromptTemplate", "prompt"):
        if type_name:
            draft.add_error(path, f"is {type_name!a}; a message here is one text")
        return _Template("f-string", "", path)
    template = _template(draft, fields)
    fields.discard("name", *_DERIVED)
    fields.report_unread("it has no place in a message")
    return template


def _role(draft: ImportDraft, path: str, role: str) -> str:
    if role not in _ROLES:
        draft.add_error(path, f"is {role!a}; the roles here are system, user, assistant and tool")
    return _ROLES.get(role, "user")


def _escaped(draft: ImportDraft, path: str, text: str, template_format: str) -> str:
    """Return a literal text escaped for a template of the format."""
    if template_format == "f-string":
        return text.replace("{", "{{").replace("}", "}}")
    if any(mark in text for mark in _OPENING_MARKS[template_format]):
        draft.add_error(path, f"is a literal text with braces; among {template_format} templates they would be read as tags")
    return text


def _variables(draft: ImportDraft, fields: FieldReader, optional: dict[str, Any]) -> None:
    """Read partial variables as defaults; one that LangChain computes by code becomes an omission."""
    partial_variables = fields.take("partial_variables", dict, {})
    used = _used_variables(draft, optional)
    variables = dict(optional)
    for name, value in partial_variables.items():
        path = f"{fields.path_of('partial_variables')}.{name}"
        if name in optional and value == []:
            continue  # LangChain marks an optional placeholder in this way
        if value is None or (isinstance(value, dict) and "lc" in value):
            draft.add_omission(path, "it is computed by code; here the caller passes its value")
        elif used is not None and name not in used:
            draft.add_omission(path, "it is a value for a variable that the prompt never uses")
        else:
            variables[name] = {**variables.get(name, {}), "default": value}
            draft.source_paths[f"variables.{name}"] = path
    if variables:
        draft.content_fields["variables"] = variables


def _used_variables(draft: ImportDraft, optional: dict[str, Any]) -> set[str] | None:
    """Return the names of the variables that the template uses, or None for an invalid template."""
    try:
        content = Content.model_validate({**draft.content_fields, "variables": optional})
        for _, reference in content_references(content):
            draft.add_remark(
                draft.source_paths["template"], f"'{{{{> {reference}}}}}' is empty in LangChain; here it includes that prompt"
            )
        prepared = prepare(content, resolved=False, jinja2=True)
        for remark in langchain_remarks(prepared):
            draft.add_remark(draft.source_paths["template"], remark)
        return set(prepared.variables)
    except (ValidationError, InvalidPrompt):
        return None


def _finish_fields(draft: ImportDraft, fields: FieldReader) -> None:
    if fields.unread.get("output_parser") is not None:
        fields.unread.pop("output_parser")
        draft.add_omission(fields.path_of("output_parser"), "it parses a model's response, which is the application's task")
    fields.discard(*_DERIVED)
    fields.report_unread()
