"""Import of Phoenix prompts: JSON of its client's `PromptVersion._dumps()` or of its REST API; one, a list, or a page."""

from typing import Any

from promptuary.prompt.content import ModelConfig
from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft
from promptuary.prompt.foreign.message_import import import_message
from promptuary.prompt.foreign.source_names import SourceNames

_PROVIDERS = {
    "ANTHROPIC": "anthropic",
    "AWS": "bedrock_converse",
    "AZURE_OPENAI": "azure_openai",
    "DEEPSEEK": "deepseek",
    "GOOGLE": "google_genai",
    "OLLAMA": "ollama",
    "OPENAI": "openai",
    "XAI": "xai",
}
_FORMATS = {"MUSTACHE": "mustache", "F_STRING": "f-string", "NONE": "f-string"}
_ROLES = {"ai": "assistant", "model": "assistant"}


def is_phoenix(value: Any) -> bool:
    """Return whether a parsed file looks like JSON of Phoenix."""
    required = {"model_provider", "template", "template_format"}
    return any(isinstance(item, dict) and required <= item.keys() for _, item in _items(value))


def read_phoenix(value: Any, names: SourceNames) -> list[ImportDraft]:
    """Read the prompts of a Phoenix file, each as a draft that contains its own errors.

    Args:
        value: the parsed file.
        names: how names become names here, with the fallback for a prompt without one, as the client's are.
    """
    return [_draft(item, path, names) for path, item in _items(value)]


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and "data" in value:
        inner = value["data"]
        return [("data", inner)] if isinstance(inner, dict) else [(f"data.{place}", item) for place, item in _items(inner)]
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value)]
    return [("", value)]


def _draft(item: Any, path: str, names: SourceNames) -> ImportDraft:
    draft = ImportDraft(path, names.fallback, {}, {})
    fields = FieldReader(item, path, draft)
    draft.name = fields.take("name", str, names.fallback)
    draft.labels = fields.take("tags", list, [])
    draft.message = fields.take("description", str)
    template_format = fields.take("template_format", str, "MUSTACHE")
    if template_format not in _FORMATS:
        draft.add_error(fields.path_of("template_format"), f"must be {', '.join(_FORMATS)}")
    draft.content_fields["format"] = _FORMATS.get(template_format, "mustache")
    _template(draft, fields.take("template", (dict, str)), fields.path_of("template"), literal=template_format == "NONE")
    _model(draft, fields)
    tools = fields.take("tools", dict, {}).get("tools")
    if isinstance(tools, list) and tools:
        draft.content_fields["tools"] = [_tool(tool) for tool in tools]
        draft.source_paths["tools"] = fields.path_of("tools")
    response_format = fields.take("response_format", dict)
    if response_format:
        draft.content_fields["response_format"] = response_format
        draft.source_paths["response_format"] = fields.path_of("response_format")
    fields.discard("id", "template_type")
    fields.report_unread()
    return draft


def _template(draft: ImportDraft, template: Any, path: str, *, literal: bool) -> None:
    draft.source_paths["template"] = path
    messages = template.get("messages") if isinstance(template, dict) else None
    text = template.get("template") if isinstance(template, dict) else template

    def convert(_: str, source: str) -> str:
        return source.replace("{", "{{").replace("}", "}}") if literal else source

    if isinstance(messages, list):
        read = [_message(draft, message, f"{path}.messages.{index}") for index, message in enumerate(messages)]
        draft.source_paths |= {f"template.{index}": f"{path}.messages.{index}" for index in range(len(messages))}
        draft.content_fields |= {
            "type": "chat",
            "template": [import_message(draft, fields, convert) for fields in read],
        }
    elif isinstance(text, str):
        draft.content_fields |= {"type": "text", "template": convert(path, text)}
    else:
        draft.add_error(path, "must have `messages`, or a text")


def _message(draft: ImportDraft, message: Any, path: str) -> FieldReader:
    """Return a message in OpenAI's form: a role of Phoenix by ours, and one text part as a text."""
    fields = FieldReader(message, path, draft)
    fields.unread["role"] = _ROLES.get(str(fields.unread.get("role")), fields.unread.get("role"))
    parts = fields.unread.get("content")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict) and parts[0].keys() == {"type", "text"}:
        fields.unread["content"] = parts[0]["text"]
    return fields


def _model(draft: ImportDraft, fields: FieldReader) -> None:
    provider, name = fields.take("model_provider", str, ""), fields.take("model_name", str)
    parameters = fields.take("invocation_parameters", dict, {})
    values = parameters.get(str(parameters.get("type")), {})
    values = dict(values) if isinstance(values, dict) else {}
    if name:
        known = {key: values.pop(key) for key in ModelConfig.model_fields if key in values and key != "name"}
        draft.content_fields["model"] = {"name": f"{_PROVIDERS.get(provider, provider.lower())}:{name}", **known}
        draft.source_paths["model"] = fields.path_of("invocation_parameters")
    if values:
        draft.content_fields["config"] = values
        draft.source_paths["config"] = fields.path_of("invocation_parameters")


def _tool(tool: Any) -> Any:
    """Return a tool as it is sent to the provider: Phoenix wraps those that are no functions."""
    return tool.get("raw", tool) if isinstance(tool, dict) and tool.get("type") == "raw" else tool
