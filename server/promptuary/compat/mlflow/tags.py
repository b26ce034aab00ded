"""The conversion of a version to MLflow's tags, and back.

MLflow stores everything about a prompt in tags, which are texts by key. Its tag `team` with the value `support` is the tag
`team=support` of a version. Parts of a version without a tag in MLflow have the tags `promptuary.tools` and
`promptuary.variables`, in both directions. A reserved tag that is no part of a version is refused by its name.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from promptuary.compat.config_overrides import overridden_config
from promptuary.compat.sdk_rendering import Piece, SdkTemplateReader, content_of_sdk
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import parse_strict_json
from promptuary.prompt.content import Content
from promptuary.prompt.errors import Invalid, InvalidPrompt
from promptuary.prompt.messages.message import AudioPart, FilePart, ImagePart, Message
from promptuary.prompt.templates import mustache
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.registry.store import PromptRecord
from promptuary.registry.tags import TAG_LENGTH, TAGS_LIMIT, tag_pairs, tag_text
from promptuary.registry.version_store import Version

IS_PROMPT = "mlflow.prompt.is_prompt"
TEXT = "mlflow.prompt.text"
TYPE = "_mlflow_prompt_type"
RESPONSE_FORMAT = "_mlflow_prompt_response_format"
MODEL_CONFIG = "_mlflow_prompt_model_config"
EXPERIMENTS = "_mlflow_experiment_ids"
NOT_RENDERABLE = "promptuary.refused"
PROMPTUARY_TAGS = {"promptuary.tools": "tools", "promptuary.variables": "variables"}
_KNOWN = {IS_PROMPT, TEXT, TYPE, RESPONSE_FORMAT, MODEL_CONFIG, *PROMPTUARY_TAGS}
_RESERVED = ("mlflow.", "_mlflow", "promptuary.")
_SETTINGS = {key: key for key in ("temperature", "max_tokens", "top_p", "seed")} | {"stop_sequences": "stop"}
_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*"
_VARIABLE = re.compile(rf"\{{\{{\s*({_NAME})\s*\}}\}}")


def _read(text: str) -> Iterator[Piece]:
    """Parse a text as the SDK's `format` does.

    It searches for each name by a regular expression in which a dot is any character: `{{a-b}}` is `{{a.b}}` beside that.
    """
    dotted = sorted({name for name in _VARIABLE.findall(text) if "." in name})
    variable = re.compile(rf"\{{\{{\s*({'|'.join([*dotted, _NAME])})\s*\}}\}}") if dotted else _VARIABLE
    at = 0
    for match in variable.finditer(text):
        yield mustache.Literal(text[at : match.start()])
        yield mustache.Tag(next((name for name in dotted if re.fullmatch(name, match[1])), match[1]))
        at = match.end()
    yield mustache.Literal(text[at:])


def _refuses(message: Message) -> str | None:
    """Return what the SDK's own model of a message does not accept."""
    for part in message.content if isinstance(message.content, list) else ():
        if isinstance(part, FilePart):
            return "a file, for which the SDK has no part"
        if isinstance(part, ImagePart) and part.image_url.detail not in (None, "auto", "low", "high"):
            return f"an image of the detail '{part.image_url.detail}', which the SDK does not accept"
        if isinstance(part, AudioPart) and part.input_audio.format not in ("wav", "mp3"):
            return f"audio of the format '{part.input_audio.format}', which the SDK does not accept"
    return None


SDK = SdkTemplateReader(
    refuses=_refuses,
    name="MLflow's SDK",
    read=_read,
    instead="use Promptuary's client, or POST /v1/prompts/{name}/render",
    takes_jinja2=True,
    takes_placeholders=False,
)


def content_of(tags: Sequence[tuple[str, str]], field_errors: list[FieldError]) -> tuple[Content, tuple[str, ...]]:
    """Return the content in some tags, and the version's tags, which are the rest of them.

    Args:
        tags: keys and values as they were sent.
        field_errors: earlier errors; new ones are appended.

    Raises:
        InvalidRequest: with every error, by the tag's key.
    """
    values = dict(tags)
    if len(values) != len(tags):
        field_errors.append(FieldError("tags", "have a key twice"))
    if values.get(IS_PROMPT) != "true":
        field_errors.append(FieldError(IS_PROMPT, "must be 'true': this registry has only prompts"))
    if TEXT not in values:
        field_errors.append(FieldError(TEXT, "is required"))
    field_errors += [FieldError(key, "is not a known tag") for key in values if key.startswith(_RESERVED) and key not in _KNOWN]
    version_tags = tuple(_tag(key, value, field_errors) for key, value in values.items() if not key.startswith(_RESERVED))
    if len(version_tags) > TAGS_LIMIT:
        field_errors.append(FieldError("tags", f"are over the limit of {TAGS_LIMIT}"))
    parts = _parts(values, field_errors)
    if field_errors:
        raise InvalidRequest("the prompt cannot be registered", field_errors)
    try:
        return content_of_sdk(parts, SDK), version_tags
    except ValidationError as error:
        raise InvalidRequest("the prompt cannot be registered", field_errors_from(error)) from None
    except InvalidPrompt as error:
        raise InvalidRequest("the prompt cannot be registered", error.field_errors) from None


def content_tags(version: Version, content: Content, texts: Sequence[str]) -> dict[str, str]:
    """Return the tags of a version's content, with these texts in place of its own."""
    parts = version.content
    tags = {IS_PROMPT: "true", TYPE: content.type, TEXT: _text(content, texts)}
    if parts["response_format"]:
        tags[RESPONSE_FORMAT] = json.dumps(parts["response_format"])
    if model_config := _model_config(parts):
        tags[MODEL_CONFIG] = json.dumps(model_config)
    return tags | {key: json.dumps(parts[part]) for key, part in PROMPTUARY_TAGS.items() if parts[part]}


def is_reserved(key: str) -> bool:
    """Return whether a key is MLflow's or this server's own, and not a user's."""
    return key.startswith(_RESERVED)


def free_tags(version: Version) -> dict[str, str]:
    """Return a version's tags as MLflow's, without reserved keys; a value may be empty."""
    return {key: value for key, value in tag_pairs(version.tags).items() if not is_reserved(key)}


def prompt_tags(prompt: PromptRecord) -> dict[str, str]:
    """Return a prompt's tags as MLflow's, without reserved keys except the experiments that used the prompt."""
    tags = tag_pairs(prompt.prompt_tags)
    return {key: value for key, value in tags.items() if key == EXPERIMENTS or not is_reserved(key)}


def _parts(values: Mapping[str, str], field_errors: list[FieldError]) -> dict[str, Any]:
    parts: dict[str, Any] = {"type": values.get(TYPE, "text"), "template": values.get(TEXT, "")}
    if parts["type"] == "chat":
        messages = _json(TEXT, values.get(TEXT, "[]"), list, field_errors)
        parts |= {"template": messages} if messages != [] else {"type": "text", "template": "[]"}  # as MLflow's server does
    for key, part in {RESPONSE_FORMAT: "response_format", **PROMPTUARY_TAGS}.items():
        if key in values:
            parts[part] = _json(key, values[key], list if part == "tools" else dict, field_errors)
    if MODEL_CONFIG in values:
        parts["config"] = _json(MODEL_CONFIG, values[MODEL_CONFIG], dict, field_errors) or None
    return parts


def _text(content: Content, texts: Sequence[str]) -> str:
    if isinstance(content.template, str):
        return texts[0]
    remaining = iter(texts)
    return json.dumps(
        [
            message.with_sources(remaining) if isinstance(message, Message) else message.model_dump()
            for message in content.template
        ]
    )


def _model_config(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version's config with the settings of its model, which override it, under MLflow's names."""
    model: Mapping[str, Any] = parts["model"] or {}
    settings = {key: model[setting] for key, setting in _SETTINGS.items() if setting in model}
    if "name" in model:
        provider, _, name = model["name"].partition(":")
        named = {"provider": provider, "model_name": name} if provider and name else {"model_name": model["name"]}
        settings = named | settings
    return overridden_config(parts["config"] if isinstance(parts["config"], dict) else {}, parts, settings)


def _json(key: str, text: str, expected: type, field_errors: list[FieldError]) -> Any:
    try:
        value = parse_strict_json(text.encode())
    except Invalid as error:
        field_errors.append(FieldError(key, f"is not usable JSON: {error}"))
        return None
    if not isinstance(value, expected):
        field_errors.append(FieldError(key, f"must be a JSON {'list' if expected is list else 'object'}"))
        return None
    return value


def _tag(key: str, value: str, field_errors: list[FieldError]) -> str:
    tag = tag_text(key, value)
    if "=" in key:
        field_errors.append(FieldError(key, "is not a valid key: it has a ="))
    if len(tag) > TAG_LENGTH:
        field_errors.append(FieldError(key, f"is over the limit of {TAG_LENGTH} characters, key and value together"))
    return tag
