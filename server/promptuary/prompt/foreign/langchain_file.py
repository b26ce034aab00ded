"""LangChain prompts from the files that it writes: `prompt.save(…)` as JSON or YAML, and what `dumpd` gives.

A file that LangChain would load can name classes, files and templates that run code. Here it is data: names of classes are
compared with a list, nothing is imported, and what is no plain prompt is a fault (CVE-2025-68664 was of that kind).
"""

from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft
from promptuary.prompt.inclusion import content_references
from promptuary.prompt.templates.preparation import prepare

_SPEAKERS = {
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
_MARKS = {"mustache": ("{{",), "jinja2": ("{{", "{%", "{#")}


def is_langchain(value: Any) -> bool:
    """Tell whether a file's value looks like what LangChain writes."""
    return isinstance(value, dict) and (
        value.get("lc") == 1 or isinstance(value.get("_type"), str) or {"template", "input_variables"} <= value.keys()
    )


def read_langchain(value: Any, fallback: str) -> list[ImportDraft]:
    """Read its prompt.

    Args:
        value: what the file holds.
        fallback: the name of a prompt that has none, which is so for most.
    """
    draft = ImportDraft("", fallback, {}, {})
    kind, said = _opened(value, "", draft)
    draft.name = said.take("name", str, fallback)
    draft.tags = said.take("tags", list, [])
    if kind in ("prompt", "PromptTemplate"):
        _text(draft, said)
    elif kind in ("chat", "ChatPromptTemplate", "StructuredPrompt"):
        _chat(draft, said)
    elif kind:
        draft.fault("", f"is a {kind}; a prompt template or a chat prompt template is taken")
    return [draft]


def _opened(value: Any, path: str, draft: ImportDraft) -> tuple[str, FieldReader]:
    """Open an object in either form: the name of its class or type, and its fields."""
    said = FieldReader(value, path, draft)
    if said.left.get("lc") is None:
        return str(said.left.get("_type") or ("prompt" if "template" in said.left else "")), said
    kind, names = said.left.get("type"), said.left.get("id")
    name = names[-1] if isinstance(names, list) and names and isinstance(names[-1], str) else "object without a name"
    if kind != "constructor" or said.left.get("lc") != 1:
        draft.fault(path, f"is a {name} that LangChain did not write whole ({kind}), so there is nothing to take")
        return "", FieldReader({}, path, draft)
    return name, FieldReader(said.left.get("kwargs"), said.at("kwargs"), draft)


def _text(draft: ImportDraft, said: FieldReader) -> None:
    draft.parts["type"] = "text"
    form, path, template = _template(draft, said)
    draft.parts |= {"format": form, "template": template}
    draft.places["template"] = path
    _variables(draft, said, {})
    _close(draft, said)


def _template(draft: ImportDraft, said: FieldReader) -> tuple[str, str, str]:
    """Take the template of a PromptTemplate: its format, where it stands, and its text."""
    if said.left.pop("template_path", None) is not None:
        draft.fault(said.at("template_path"), "names another file, which is not read; put the template into this one")
        return "f-string", said.path, ""
    form = said.take("template_format", str, "f-string")
    if form not in ("f-string", "mustache", "jinja2"):
        draft.fault(said.at("template_format"), "must be f-string, mustache or jinja2")
        form = "f-string"
    template = said.take("template", str)
    if template is None:
        draft.fault(said.at("template"), "must be a text")
    return form, said.at("template"), template or ""


def _chat(draft: ImportDraft, said: FieldReader) -> None:
    messages: list[dict[str, Any]] = []
    formats: dict[str, str] = {}
    literal: list[tuple[int, str]] = []
    optional: dict[str, Any] = {}
    for place, value in enumerate(said.take("messages", list, [])):
        path = f"{said.at('messages')}.{place}"
        message, form, at = _message(draft, value, path, optional)
        draft.places[f"template.{place}"] = path
        draft.places[f"template.{place}.content"] = at
        if form is not None:
            formats.setdefault(form, at)
        elif message["role"] != "placeholder":
            literal.append((place, at))
        messages.append(message)
    form = next(iter(formats), "f-string")
    for other, at in list(formats.items())[1:]:
        draft.fault(at, f"is {other} and another message is {form}; a prompt here has one format")
    for place, at in literal:
        messages[place]["content"] = _escaped(draft, at, messages[place]["content"], form)
    draft.parts |= {"type": "chat", "format": form, "template": messages}
    draft.places["template"] = said.at("messages")
    schema = said.take("schema_", dict)
    if schema:
        name = schema.get("title")
        wrapped = {"name": name if isinstance(name, str) else "answer", "schema": schema}
        draft.parts["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        draft.places["response_format"] = said.at("schema_")
    _variables(draft, said, optional)
    _close(draft, said)


def _message(draft: ImportDraft, value: Any, path: str, optional: dict[str, Any]) -> tuple[dict[str, Any], str | None, str]:
    """Take a message: in our form, its template's format (None for a text that is no template), and where the text stands."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return {"role": _role(draft, path, value[0]), "content": value[1]}, "f-string", f"{path}.1"
    kind, said = _opened(value, path, draft)
    if kind == "MessagesPlaceholder" or "variable_name" in said.left:
        name = said.take("variable_name", str, "")
        if said.take("optional", bool, default=False):
            optional[name] = {"type": "array", "required": False}
        said.rest("it has no place in a placeholder")
        return {"role": "placeholder", "name": name}, None, said.at("variable_name")
    named = said.take("role", str)
    if kind in _SPEAKERS:
        role = _SPEAKERS[kind]
    elif named is not None:
        role = _role(draft, said.at("role"), named)
    else:
        role = "user"
        draft.fault(path, f"is {f'a {kind}' if kind else 'nothing'} that says not who speaks; write the prompt with dumpd")
        said.left.clear()
        return {"role": role, "content": ""}, None, path
    said.drop(*_DERIVED)
    if "prompt" in said.left:
        form, at, text = _part(draft, said.left.pop("prompt"), said.at("prompt"))
        said.rest("it has no place in a message")
        return {"role": role, "content": text}, form, at
    content = said.take("content", (str, list))
    if not isinstance(content, str):
        draft.fault(said.at("content"), "must be a text; images and other parts have no place in a message here")
    said.rest("it has no place in a message")
    is_template = kind == "" and isinstance(content, str)  # as in {"role": "user", "content": "{question}"}
    return (
        {"role": role, "content": content if isinstance(content, str) else ""},
        "f-string" if is_template else None,
        said.at("content"),
    )


def _part(draft: ImportDraft, value: Any, path: str) -> tuple[str, str, str]:
    """Take the one text of a message."""
    if isinstance(value, list):
        if len(value) != 1:
            draft.fault(path, "has several parts; a message here is one text")
            return "f-string", path, ""
        value, path = value[0], f"{path}.0"
    kind, said = _opened(value, path, draft)
    if kind not in ("PromptTemplate", "prompt"):
        if kind:
            draft.fault(path, f"is a {kind}; a message here is one text")
        return "f-string", path, ""
    found = _template(draft, said)
    said.drop("name", *_DERIVED)
    said.rest("it has no place in a message")
    return found


def _role(draft: ImportDraft, path: str, role: str) -> str:
    if role not in _ROLES:
        draft.fault(path, f"is {role!a}; a message here is of system, user, assistant or tool")
    return _ROLES.get(role, "user")


def _escaped(draft: ImportDraft, path: str, text: str, form: str) -> str:
    """Write a text that is no template so that it stands in one as it is."""
    if form == "f-string":
        return text.replace("{", "{{").replace("}", "}}")
    if any(mark in text for mark in _MARKS[form]):
        draft.fault(path, f"is a text with braces among {form} templates, which would be read as one")
    return text


def _variables(draft: ImportDraft, said: FieldReader, optional: dict[str, Any]) -> None:
    """Take partial variables as defaults; what code would compute must be given here."""
    partial = said.take("partial_variables", dict, {})
    used = _used(draft, optional)
    variables = dict(optional)
    for name, value in partial.items():
        path = f"{said.at('partial_variables')}.{name}"
        if name in optional and value == []:
            continue  # which is how LangChain says that a placeholder may be left out
        if value is None or (isinstance(value, dict) and "lc" in value):
            draft.lose(path, "it is computed by code; here it must be given")
        elif used is not None and name not in used:
            draft.lose(path, "it is a value for a variable that the prompt never uses")
        else:
            variables[name] = {**variables.get(name, {}), "default": value}
            draft.places[f"variables.{name}"] = path
    if variables:
        draft.parts["variables"] = variables


def _used(draft: ImportDraft, optional: dict[str, Any]) -> set[str] | None:
    """Name the variables that the template uses; None where that cannot be told."""
    try:
        content = Content.model_validate({**draft.parts, "variables": optional})
        for _, reference in content_references(content):
            draft.add_remark(
                draft.places["template"], f"'{{{{> {reference}}}}}' is nothing there; here it includes that prompt"
            )
        return set(prepare(content, resolved=False, jinja2=True).variables)
    except (ValidationError, InvalidPrompt):
        return None


def _close(draft: ImportDraft, said: FieldReader) -> None:
    if said.left.get("output_parser") is not None:
        said.left.pop("output_parser")
        draft.lose(said.at("output_parser"), "it reads a model's answer, which is the application's to do")
    said.drop(*_DERIVED)
    said.rest()
