"""Import of Langfuse prompts: JSON of its API or SDK with one prompt, a list, or a page (`{"data": [...]}`)."""

import re
from typing import Any

from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft, read_config
from promptuary.prompt.foreign.message_import import import_message
from promptuary.prompt.foreign.sdk_text import SdkText, choose_format
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.name import fold_label, is_name
from promptuary.prompt.templates.mustache import Literal, Node, Partial, Tag
from promptuary.prompt.templates.simple import is_name as is_name_of_simple

_REFERENCE = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_IGNORED_FIELDS = (
    *("id", "createdAt", "updatedAt", "createdBy", "projectId", "isActive", "resolutionGraph"),
    *("created_at", "updated_at", "created_by", "project_id", "is_active", "resolution_graph", "lastUpdatedAt"),
)


def is_langfuse(value: Any) -> bool:
    """Return whether a parsed file looks like JSON of Langfuse."""
    return any(_is_prompt(item) for _, item in _items(value))


def _is_prompt(item: Any) -> bool:
    return isinstance(item, dict) and (
        ("prompt" in item and "name" in item and bool({"labels", "config", "type", "version"} & item.keys()))
        or {"lastUpdatedAt", "versions"} <= item.keys()
    )


def read_langfuse(value: Any, names: SourceNames) -> list[ImportDraft]:
    """Read the prompts of a Langfuse file, each as a draft that contains its own errors.

    Args:
        value: the parsed file.
        names: how names become names here, with the fallback for a prompt without one.
    """
    return [_draft(item, path, names) for path, item in _items(value)]


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return [(f"data.{index}", item) for index, item in enumerate(value["data"])]
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value)]
    return [("", value)]


def _draft(item: Any, path: str, names: SourceNames) -> ImportDraft:
    draft = ImportDraft(path, names.fallback, {}, {})
    texts: list[SdkText] = []
    fields = FieldReader(item, path, draft)
    draft.name = fields.take("name", str, names.fallback)
    draft.version = fields.take("version", int)
    draft.labels = fields.take("labels", list, [])
    draft.tags = fields.take("tags", list, [])
    draft.message = fields.take("commitMessage", str) or fields.take("commit_message", str)
    prompt = fields.take("prompt", (str, list))
    prompt_type = fields.take("type", str, "chat" if isinstance(prompt, list) else "text")
    prompt_path = fields.path_of("prompt")
    draft.source_paths["template"] = prompt_path
    if prompt is None and "versions" in fields.unread:
        draft.add_error(path, "is an entry of a prompt list, which has no text; fetch each prompt by its name")
    elif isinstance(prompt, str):
        draft.content_fields |= {"type": prompt_type, "template": _text(draft, prompt_path, prompt, names, texts)}
    elif prompt is not None:
        messages = [_message(draft, f"{prompt_path}.{index}", message, names, texts) for index, message in enumerate(prompt)]
        draft.content_fields |= {"type": prompt_type, "template": messages}
        draft.source_paths |= {f"template.{index}": f"{prompt_path}.{index}" for index in range(len(messages))}
    elif all(field_error.path != prompt_path for field_error in draft.field_errors):
        draft.add_error(path, "has no `prompt`")
    choose_format(draft, texts, "Langfuse")
    read_config(draft, fields, "config")
    fields.discard(*_IGNORED_FIELDS)
    fields.report_unread()
    return draft


def _message(draft: ImportDraft, path: str, message: Any, names: SourceNames, texts: list[SdkText]) -> dict[str, Any]:
    fields = FieldReader(message, path, draft)
    message_type = fields.take("type", str, "chatmessage")
    if message_type == "placeholder":
        result = {"role": "placeholder", "name": fields.take("name", str, "")}
    elif message_type in ("chatmessage", "message"):
        return import_message(draft, fields, lambda text_path, text: _text(draft, text_path, text, names, texts))
    else:
        draft.add_error(fields.path_of("type"), f"is {message_type!a}; must be a message or a placeholder")
        result = {"role": "user", "content": ""}
    fields.report_unread("it has no place in a message")
    return result


def _text(draft: ImportDraft, path: str, text: str, names: SourceNames, texts: list[SdkText]) -> str:
    """Return a text as a template, and add it to the texts; a reference to another prompt becomes an include."""
    parts: list[str] = []
    langfuse_nodes: list[Node] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        reference = _reference(match.group(1), names)
        if reference is None:
            draft.add_error(path, f"refers to another prompt in a way that cannot be read: {match.group()[:80]!a}")
            continue
        before = text[position : match.start()]
        # A mustache partial alone on its line removes the line break, and a Langfuse reference does not.
        alone = text[: match.start()].rpartition("\n")[2].strip() == "" and text[match.end() :].partition("\n")[0].strip() == ""
        parts += [before, f"{{{{> {reference}}}}}", "{{! }}" if alone else ""]
        langfuse_nodes += [*_langfuse_nodes(before), Partial(reference, "")]
        position = match.end()
    result = "".join([*parts, text[position:]])
    nodes = [*langfuse_nodes, *_langfuse_nodes(text[position:])]
    texts.append(SdkText(path, result, nodes, None if parts else _langfuse_nodes(text, names_only=True)))
    return result


def _reference(reference: str, names: SourceNames) -> str | None:
    """Return a Langfuse reference (`name=a|label=b`) as an include's `name@selector`, or None where it is not valid."""
    fields = dict(pair.partition("=")[::2] for pair in reference.split("|"))
    name = names.name_of(fields.get("name", ""))
    selector = fold_label(fields.get("label", "")) or fields.get("version") or ""
    if not is_name(name) or not (selector == "" or selector.isdecimal() or is_name(selector)):
        return None
    return f"{name}@{selector}" if selector and selector != "production" else name


def _langfuse_nodes(text: str, *, names_only: bool = False) -> list[Node]:
    """Parse a text as Langfuse's SDK does: a variable reaches from every `{{` to the next `}}`.

    With `names_only`, what is no name in the format `simple` is text, as it is where no program passes such a variable.
    """
    nodes: list[Node] = []
    position = 0
    while (start := text.find("{{", position)) >= 0 and (end := text.find("}}", start)) >= 0:
        name = text[start + 2 : end].strip()
        is_text = names_only and not is_name_of_simple(name)
        nodes += [Literal(text[position:start]), Literal(text[start : end + 2]) if is_text else Tag(name)]
        position = end + 2
    return [*nodes, Literal(text[position:])]
