"""Import of MLflow prompts: JSON of `dict(prompt_version)` or of a model version of its REST API; one, or a list."""

import json
import re
from collections.abc import Mapping
from typing import Any

from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft, read_config
from promptuary.prompt.foreign.message_import import import_message
from promptuary.prompt.foreign.sdk_text import SdkText, choose_format
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.templates.mustache import Literal, Node, Tag

_NAME = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*)\s*\}\}")
_TEXT_TAG, _TYPE_TAG = "mlflow.prompt.text", "_mlflow_prompt_type"
_JSON_TAGS = {"_mlflow_prompt_response_format": "response_format", "_mlflow_prompt_model_config": "model_config"}
# Written by Promptuary's routes for the MLflow SDK.
_PROMPTUARY_TAGS = {"promptuary.tools": "tools", "promptuary.variables": "variables"}
_INTERNAL_TAGS = ("mlflow.prompt.is_prompt", "mlflow.prompt.associatedRunIds", "_mlflow_experiment_ids")
_IGNORED_FIELDS = (
    *("creation_timestamp", "last_updated_timestamp", "user_id", "uri", "is_text_prompt", "variables"),
    *("source", "status", "status_message", "current_stage", "run_id", "run_link"),
)


def is_mlflow(value: Any) -> bool:
    """Return whether a parsed file looks like JSON of MLflow."""
    return any(_is_prompt(item) for _, item in _items(value))


def _is_prompt(item: Any) -> bool:
    return isinstance(item, dict) and (
        ("template" in item and bool({"aliases", "commit_message", "uri", "is_text_prompt"} & item.keys()))
        or (isinstance(item.get("tags"), list | dict) and _TEXT_TAG in _tag_mapping(item["tags"]))
    )


def read_mlflow(value: Any, names: SourceNames) -> list[ImportDraft]:
    """Read the prompts of an MLflow file, each as a draft that contains its own errors.

    Args:
        value: the parsed file.
        names: how names become names here, with the fallback for a prompt without one.
    """
    return [_draft(item, path, names) for path, item in _items(value)]


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in ("model_versions", "prompts"):
            if isinstance(value.get(key), list):
                return [(f"{key}.{index}", item) for index, item in enumerate(value[key])]
        if isinstance(value.get("model_version"), dict):
            return [("model_version", value["model_version"])]
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value)]
    return [("", value)]


def _tag_mapping(tags: Any) -> dict[str, Any]:
    """Return tags as a mapping; the REST API has a list of objects with `key` and `value`."""
    if isinstance(tags, dict):
        return dict(tags)
    pairs = tags if isinstance(tags, list) else []
    return {str(tag.get("key")): tag.get("value") for tag in pairs if isinstance(tag, dict)}


def _draft(item: Any, path: str, names: SourceNames) -> ImportDraft:
    draft = ImportDraft(path, names.fallback, {}, {})
    fields = FieldReader(item, path, draft)
    draft.name = fields.take("name", str, names.fallback)
    draft.version = _version(draft, fields)
    draft.labels = [alias.get("alias") if isinstance(alias, dict) else alias for alias in fields.take("aliases", list, [])]
    description = fields.take("description", str)
    draft.message = fields.take("commit_message", str) or description
    tags_path = fields.path_of("tags")
    tags = _tag_mapping(fields.take("tags", (list, dict), {}))
    template = fields.take("template", (str, list))
    template_path = fields.path_of("template")
    if template is None and _TEXT_TAG in tags:
        template_path, template = tags_path, tags.pop(_TEXT_TAG)
        if tags.pop(_TYPE_TAG, "text") == "chat":
            template = _json(draft, template_path, template)
    for tag, part in _JSON_TAGS.items():
        if tag in tags:
            fields.unread.setdefault(part, _json(draft, tags_path, tags.pop(tag)))
    if template is None:
        draft.add_error(path, "has no `template`")
    else:
        _template(draft, template_path, template)
    read_config(draft, fields, "model_config")
    response_format = fields.take("response_format", dict)
    if response_format:
        draft.content_fields["response_format"] = response_format
        draft.source_paths["response_format"] = fields.path_of("response_format")
    for tag, part in _PROMPTUARY_TAGS.items():
        if tag in tags:
            draft.content_fields[part] = _json(draft, tags_path, tags.pop(tag))
            draft.source_paths[part] = tags_path
    draft.tags = _tag_texts(tags)
    fields.discard(*_IGNORED_FIELDS)
    fields.report_unread()
    return draft


def _version(draft: ImportDraft, fields: FieldReader) -> int | None:
    version: int | str | None = fields.take("version", (int, str))
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 10:
        return int(version)
    if isinstance(version, str):
        draft.add_error(fields.path_of("version"), "must be a number")
        return None
    return version


def _json(draft: ImportDraft, path: str, text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        draft.add_error(path, "has a tag that is not valid JSON")
        return None


def _template(draft: ImportDraft, path: str, template: str | list[Any]) -> None:
    texts = (
        [template]
        if isinstance(template, str)
        else [message.get("content") for message in template if isinstance(message, dict)]
    )
    jinja2 = any(isinstance(text, str) and "{%" in text and "%}" in text for text in texts)
    if jinja2:
        draft.content_fields["format"] = "jinja2"
    draft.source_paths["template"] = path
    if isinstance(template, str):
        draft.content_fields |= {"type": "text", "template": template}
        if not jinja2:
            choose_format(draft, [_sdk_text(path, template)], "MLflow")
        return

    sdk_texts: list[SdkText] = []

    def read_text(text_path: str, text: str) -> str:
        sdk_texts.append(_sdk_text(text_path, text))
        return text

    readers = [FieldReader(message, f"{path}.{index}", draft) for index, message in enumerate(template)]
    messages = [import_message(draft, fields, read_text) for fields in readers]
    if not jinja2:
        choose_format(draft, sdk_texts, "MLflow")
    draft.content_fields |= {"type": "chat", "template": messages}
    draft.source_paths |= {f"template.{index}": f"{path}.{index}" for index in range(len(messages))}


def _sdk_text(path: str, text: str) -> SdkText:
    """Parse a text as MLflow's SDK does."""
    nodes: list[Node] = []
    position = 0
    for match in _NAME.finditer(text):
        nodes += [Literal(text[position : match.start()]), Tag(match.group(1))]
        position = match.end()
    nodes.append(Literal(text[position:]))
    return SdkText(path, text, nodes, nodes)


def _tag_texts(tags: Mapping[str, Any]) -> list[str]:
    """Return tags as texts, as the routes for the MLflow SDK do: `{"team": "support"}` becomes `team=support`."""
    return [f"{key}={value}" if value not in (None, "") else key for key, value in tags.items() if key not in _INTERNAL_TAGS]
