"""MLflow prompts as JSON: `dict(prompt_version)`, or a model version as its REST API gives it; one, or a list."""

import json
import re
from collections.abc import Mapping
from typing import Any

from promptuary.prompt.foreign.drafts import SETTINGS, FieldReader, ImportDraft, check_same_reading, read_model
from promptuary.prompt.templates.mustache import Literal, Node, Tag

_NAME = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*)\s*\}\}")
_TEXT, _TYPE = "mlflow.prompt.text", "_mlflow_prompt_type"
_JSON_TAGS = {"_mlflow_prompt_response_format": "response_format", "_mlflow_prompt_model_config": "model_config"}
_OUR_TAGS = {"promptuary.tools": "tools", "promptuary.variables": "variables"}  # which our own routes for its SDK give
_OWN_TAGS = ("mlflow.prompt.is_prompt", "mlflow.prompt.associatedRunIds", "_mlflow_experiment_ids")
_ONLY_THERE = (
    *("creation_timestamp", "last_updated_timestamp", "user_id", "uri", "is_text_prompt", "variables"),
    *("source", "status", "status_message", "current_stage", "run_id", "run_link"),
)
_SETTINGS = {key: key for key in SETTINGS if key != "stop"} | {"stop_sequences": "stop"}


def is_mlflow(value: Any) -> bool:
    """Tell whether a file's value looks like what MLflow gives."""
    items = _items(value)
    first = items[0][1] if items else None
    return isinstance(first, dict) and (
        ("template" in first and bool({"aliases", "commit_message", "uri", "is_text_prompt"} & first.keys()))
        or (isinstance(first.get("tags"), list | dict) and _TEXT in _pairs(first["tags"]))
    )


def read_mlflow(value: Any, fallback: str) -> list[ImportDraft]:
    """Read its prompts.

    Args:
        value: what the file holds.
        fallback: the name of a prompt that has none.
    """
    return [_draft(item, path, fallback) for path, item in _items(value)]


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in ("model_versions", "prompts"):
            if isinstance(value.get(key), list):
                return [(f"{key}.{place}", item) for place, item in enumerate(value[key])]
        if isinstance(value.get("model_version"), dict):
            return [("model_version", value["model_version"])]
    if isinstance(value, list):
        return [(str(place), item) for place, item in enumerate(value)]
    return [("", value)]


def _pairs(tags: Any) -> dict[str, Any]:
    """Give tags as a mapping; REST has a list of keys and values."""
    if isinstance(tags, dict):
        return dict(tags)
    pairs = tags if isinstance(tags, list) else []
    return {str(tag.get("key")): tag.get("value") for tag in pairs if isinstance(tag, dict)}


def _draft(item: Any, path: str, fallback: str) -> ImportDraft:
    draft = ImportDraft(path, fallback, {}, {})
    said = FieldReader(item, path, draft)
    draft.name = said.take("name", str, fallback)
    draft.version = _version(draft, said)
    draft.labels = [one.get("alias") if isinstance(one, dict) else one for one in said.take("aliases", list, [])]
    description = said.take("description", str)
    draft.message = said.take("commit_message", str) or description
    tags_at = said.at("tags")
    tags = _pairs(said.take("tags", (list, dict), {}))
    template = said.take("template", (str, list))
    place = said.at("template")
    if template is None and _TEXT in tags:
        place, template = tags_at, tags.pop(_TEXT)
        if tags.pop(_TYPE, "text") == "chat":
            template = _json(draft, place, template)
    for tag, part in _JSON_TAGS.items():
        if tag in tags:
            said.left.setdefault(part, _json(draft, tags_at, tags.pop(tag)))
    if template is None:
        draft.fault(path, "has no `template`")
    else:
        _template(draft, place, template)
    _model(draft, said)
    response_format = said.take("response_format", dict)
    if response_format:
        draft.parts["response_format"] = response_format
        draft.places["response_format"] = said.at("response_format")
    for tag, part in _OUR_TAGS.items():
        if tag in tags:
            draft.parts[part] = _json(draft, tags_at, tags.pop(tag))
            draft.places[part] = tags_at
    draft.tags = _words(tags)
    said.drop(*_ONLY_THERE)
    said.rest()
    return draft


def _version(draft: ImportDraft, said: FieldReader) -> int | None:
    version: int | str | None = said.take("version", (int, str))
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 10:
        return int(version)
    if isinstance(version, str):
        draft.fault(said.at("version"), "must be a number")
        return None
    return version


def _json(draft: ImportDraft, path: str, text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        draft.fault(path, "has a tag that is no JSON")
        return None


def _template(draft: ImportDraft, path: str, template: str | list[Any]) -> None:
    texts = [template] if isinstance(template, str) else [one.get("content") for one in template if isinstance(one, dict)]
    jinja2 = any(isinstance(text, str) and "{%" in text and "%}" in text for text in texts)
    draft.parts["format"] = "jinja2" if jinja2 else "mustache"
    draft.places["template"] = path
    if isinstance(template, str):
        draft.parts |= {"type": "text", "template": template}
        _check(draft, path, template, jinja2)
        return
    messages = []
    for place, message in enumerate(template):
        at = f"{path}.{place}"
        said = FieldReader(message, at, draft)
        content = said.take("content", str)
        if content is None:
            draft.fault(f"{at}.content", "must be a text")
        else:
            _check(draft, f"{at}.content", content, jinja2)
        messages.append({"role": said.take("role", str, ""), "content": content or ""})
        said.rest("it has no place in a message")
    draft.parts |= {"type": "chat", "template": messages}
    draft.places |= {f"template.{place}": f"{path}.{place}" for place in range(len(messages))}


def _check(draft: ImportDraft, path: str, text: str, jinja2: bool) -> None:
    if jinja2:
        return
    pieces: list[Node] = []
    at = 0
    for match in _NAME.finditer(text):
        pieces += [Literal(text[at : match.start()]), Tag(match.group(1))]
        at = match.end()
        if "." in match.group(1):
            first = match.group(1).partition(".")[0]
            draft.add_remark(
                path, f"'{match.group(1)}' is one variable there; here it is looked up inside the variable '{first}'"
            )
    check_same_reading(draft, path, text, [*pieces, Literal(text[at:])], "MLflow")


def _model(draft: ImportDraft, said: FieldReader) -> None:
    config = said.take("model_config", dict)
    if not config:
        return
    inside = FieldReader(config, said.at("model_config"), draft)
    provider, name = inside.take("provider", str), inside.take("model_name", str)
    if provider and not name:
        draft.lose(inside.at("provider"), "it is the provider of a model that is not named")
    draft.places["model.name"] = inside.at("model_name")
    read_model(draft, f"{provider}:{name}" if provider and name else name, inside, _SETTINGS)
    extra = inside.take("extra_params", dict)
    if extra:
        FieldReader(extra, inside.at("extra_params"), draft).rest()
    inside.rest()


def _words(tags: Mapping[str, Any]) -> list[str]:
    """Give tags as words, as the compatible routes do: `team` of the value `support` is `team=support`."""
    return [f"{key}={value}" if value not in (None, "") else key for key, value in tags.items() if key not in _OWN_TAGS]
