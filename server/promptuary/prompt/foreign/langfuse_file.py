"""Langfuse prompts as its API and SDK write them in JSON: one, a list of them, or a page (`{"data": [...]}`)."""

import re
from typing import Any

from promptuary.prompt.foreign.drafts import SETTINGS, FieldReader, ImportDraft, check_same_reading, read_model
from promptuary.prompt.name import is_name
from promptuary.prompt.templates.mustache import Literal, Node, Partial, Tag

_REFERENCE = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_ONLY_THERE = (
    *("id", "createdAt", "updatedAt", "createdBy", "projectId", "isActive", "resolutionGraph"),
    *("created_at", "updated_at", "created_by", "project_id", "is_active", "resolution_graph", "lastUpdatedAt"),
)
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def is_langfuse(value: Any) -> bool:
    """Tell whether a file's value looks like what Langfuse writes."""
    first = _items(value)[0][1] if _items(value) else None
    return isinstance(first, dict) and (
        ("prompt" in first and "name" in first and bool({"labels", "config", "type", "version"} & first.keys()))
        or {"lastUpdatedAt", "versions"} <= first.keys()
    )


def read_langfuse(value: Any, fallback: str) -> list[ImportDraft]:
    """Read its prompts.

    Args:
        value: what the file holds.
        fallback: the name of a prompt that has none.
    """
    return [_draft(item, path, fallback) for path, item in _items(value)]


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return [(f"data.{place}", item) for place, item in enumerate(value["data"])]
    if isinstance(value, list):
        return [(str(place), item) for place, item in enumerate(value)]
    return [("", value)]


def _draft(item: Any, path: str, fallback: str) -> ImportDraft:
    draft = ImportDraft(path, fallback, {"format": "mustache"}, {})
    said = FieldReader(item, path, draft)
    draft.name = said.take("name", str, fallback)
    draft.version = said.take("version", int)
    draft.labels = said.take("labels", list, [])
    draft.tags = said.take("tags", list, [])
    draft.message = said.take("commitMessage", str) or said.take("commit_message", str)
    prompt = said.take("prompt", (str, list))
    kind = said.take("type", str, "chat" if isinstance(prompt, list) else "text")
    draft.places["template"] = said.at("prompt")
    if prompt is None and "versions" in said.left:
        draft.fault(path, "is an entry of a list, which has no text; fetch each prompt by its name")
    elif isinstance(prompt, str):
        draft.parts |= {"type": kind, "template": _text(draft, said.at("prompt"), prompt)}
    elif prompt is not None:
        messages = [_message(draft, f"{said.at('prompt')}.{place}", message) for place, message in enumerate(prompt)]
        draft.parts |= {"type": kind, "template": messages}
        draft.places |= {f"template.{place}": f"{said.at('prompt')}.{place}" for place in range(len(messages))}
    else:
        draft.fault(path, "has no `prompt`")
    _config(draft, said)
    said.drop(*_ONLY_THERE)
    said.rest()
    return draft


def _message(draft: ImportDraft, path: str, message: Any) -> dict[str, Any]:
    said = FieldReader(message, path, draft)
    kind = said.take("type", str, "chatmessage")
    if kind == "placeholder":
        made = {"role": "placeholder", "name": said.take("name", str, "")}
    elif kind in ("chatmessage", "message"):
        role = said.take("role", str, "")
        if role not in _ROLES:
            draft.fault(said.at("role"), f"is {role!a}; a message here is of system, user, assistant or tool")
        elif _ROLES[role] != role:
            draft.add_remark(said.at("role"), f"'{role}' becomes '{_ROLES[role]}'")
        content = said.take("content", str)
        if content is None:
            draft.fault(said.at("content"), "must be a text")
        made = {"role": _ROLES.get(role, "user"), "content": _text(draft, said.at("content"), content or "")}
    else:
        draft.fault(said.at("type"), f"is {kind!a}; a message, or a placeholder, is taken")
        made = {"role": "user", "content": ""}
    said.rest("it has no place in a message")
    return made


def _text(draft: ImportDraft, path: str, text: str) -> str:
    """Take a text over: its variables are ours, and a reference to another prompt becomes an inclusion."""
    out: list[str] = []
    theirs: list[Node] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        reference = _reference(match.group(1))
        if reference is None:
            draft.fault(path, f"refers to another prompt in a way that cannot be read: {match.group()[:80]!a}")
            continue
        before = text[at : match.start()]
        # A mustache partial that is alone in its line takes the line's end with it, which a Langfuse reference does not.
        alone = text[: match.start()].rpartition("\n")[2].strip() == "" and text[match.end() :].partition("\n")[0].strip() == ""
        out += [before, f"{{{{> {reference}}}}}", "{{! }}" if alone else ""]
        theirs += [*_pieces(before), Partial(reference, "")]
        at = match.end()
    result = "".join([*out, text[at:]])
    check_same_reading(draft, path, result, [*theirs, *_pieces(text[at:])], "Langfuse")
    return result


def _reference(words: str) -> str | None:
    said = dict(pair.partition("=")[::2] for pair in words.split("|"))
    name, selector = said.get("name", "").replace("/", ".").lower(), said.get("label") or said.get("version") or ""
    if not is_name(name) or not (selector == "" or selector.isdecimal() or is_name(selector)):
        return None
    return f"{name}@{selector}" if selector and selector != "production" else name


def _pieces(text: str) -> list[Node]:
    """Cut a text up as Langfuse's SDK does: from every `{{` to the next `}}` is a variable."""
    pieces: list[Node] = []
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        pieces += [Literal(text[at:start]), Tag(text[start + 2 : end].strip())]
        at = end + 2
    return [*pieces, Literal(text[at:])]


def _config(draft: ImportDraft, said: FieldReader) -> None:
    config = said.take("config", dict)
    if not config:
        return
    inside = FieldReader(config, said.at("config"), draft)
    draft.places["model.name"] = inside.at("model")
    read_model(draft, inside.take("model", str), inside, SETTINGS)
    for part, kind in (("response_format", dict), ("tools", list), ("variables", dict)):  # as our own routes for its SDK do
        if isinstance(inside.left.get(part), kind):
            draft.parts[part] = inside.left.pop(part)
            draft.places[part] = inside.at(part)
    inside.rest()
