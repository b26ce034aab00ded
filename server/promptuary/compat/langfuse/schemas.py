"""The wire models of the Langfuse SDK, and their conversion to and from the registry's versions.

A Langfuse prompt has a free `config`; a version has typed parts. The known keys of a config are converted to parts, and back.
An unknown key is refused by its name: nothing is lost in either direction.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError

from promptuary.compat.sdk_rendering import Piece, SdkTemplateReader, sdk_texts
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.messages.message import Message
from promptuary.prompt.templates import mustache
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.registry.version_store import Version

MODEL_KEYS = {"model": "name", **{key: key for key in ("temperature", "max_tokens", "top_p", "seed", "stop")}}
"""The keys of a config that belong to the version's `model`, and their names there."""
PART_KEYS = ("response_format", "tools", "variables")
"""The keys of a config that are parts of a version."""
_REFERENCE = "@@@langfusePrompt:"


def _read(text: str) -> Iterator[Piece]:
    """Parse a text as the SDK's `compile` does: everything from `{{` to the next `}}` is a variable."""
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        yield mustache.Literal(text[at:start])
        yield mustache.Tag(text[start + 2 : end].strip())
        at = end + 2
    yield mustache.Literal(text[at:])


SDK = SdkTemplateReader(
    name="the Langfuse SDK",
    read=_read,
    instead="use Promptuary's client, or request the source with resolve=false",
)


class NewPrompt(RequestModel):
    """A prompt version to register."""

    name: str
    prompt: JsonValue
    type: Literal["text", "chat"] = "text"
    config: dict[str, JsonValue] | None = None
    labels: Annotated[list[str], Field(max_length=50)] | None = None
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] | None = None
    commitMessage: ShortText | None = None

    def content(self) -> Content:
        """Return the content to register.

        Raises:
            InvalidRequest: with every error, by the path in the request.
        """
        config = {key: value for key, value in (self.config or {}).items() if value is not None}
        field_errors = [
            FieldError(
                f"config.{key}",
                f"is not part of a version, which has {', '.join((*MODEL_KEYS, *PART_KEYS))}: remove it from the config",
            )
            for key in config
            if key not in MODEL_KEYS and key not in PART_KEYS
        ]
        model = {MODEL_KEYS[key]: value for key, value in config.items() if key in MODEL_KEYS}
        if model and "name" not in model:
            field_errors.append(FieldError("config.model", f"is required with {', '.join(model)}: name the model"))
        parts = {key: config[key] for key in PART_KEYS if key in config} | ({"model": model} if "name" in model else {})
        content = None
        try:
            content = Content.model_validate({"type": self.type, "template": _template(self.prompt), **parts})
        except ValidationError as error:
            field_errors += [
                FieldError(_request_path(field_error.path), field_error.message) for field_error in field_errors_from(error)
            ]
        if content and any(_REFERENCE in source for _, source in content.sources()):
            field_errors.append(FieldError("prompt", f"has '{_REFERENCE}…'; include a prompt by {{{{> its.name@label}}}}"))
        if content is None or field_errors:
            raise InvalidRequest("the prompt cannot be registered", field_errors)
        return content


class NewLabels(RequestModel):
    """Labels to move to a version in addition to its own."""

    newLabels: Annotated[list[str], Field(max_length=50)]


class LangfusePrompt(ResponseModel):
    """A prompt version for the SDK; `digest` and `format` are additions of this server."""

    name: str
    version: int
    type: Literal["text", "chat"]
    prompt: str | list[dict[str, Any]]
    config: dict[str, Any]
    labels: list[str]
    tags: list[str]
    commitMessage: str | None
    createdAt: datetime
    createdBy: str
    digest: str
    format: str

    @classmethod
    def as_source(cls, version: Version) -> Self:
        """Build the response with the texts as they were registered, in any format."""
        content = content_from_json(version.content)
        return cls._of(version, content, [source for _, source in content.sources()], content.format)

    @classmethod
    def resolved(cls, version: Version) -> Self:
        """Build the response with texts that the SDK can compile, partials included.

        Raises:
            Conflict: when the SDK cannot compile it, with the reason.
        """
        content = content_from_json(version.content)
        texts = sdk_texts(content, f"version {version.number} of '{version.prompt}'", SDK)
        return cls._of(version, content, texts, "mustache")

    @classmethod
    def _of(cls, version: Version, content: Content, texts: list[str], template_format: str) -> Self:
        return cls(
            name=version.prompt,
            version=version.number,
            type=content.type,
            prompt=_prompt(content, texts),
            config=config_of(version),
            labels=list(version.labels),
            tags=list(version.tags),
            commitMessage=version.message or None,
            createdAt=version.created_at,
            createdBy=version.author,
            digest=version.digest,
            format=template_format,
        )


class PromptMeta(ResponseModel):
    """A prompt in a list; type, tags and config are its newest version's."""

    name: str
    type: str
    versions: list[int]
    labels: list[str]
    tags: list[str]
    lastUpdatedAt: datetime
    lastConfig: dict[str, Any]


class PageMeta(ResponseModel):
    """The number of the page, and of all pages."""

    page: int
    limit: int
    totalItems: int
    totalPages: int

    @classmethod
    def of(cls, page: int, limit: int, total: int) -> Self:
        """Compute the number of pages."""
        return cls(page=page, limit=limit, totalItems=total, totalPages=math.ceil(total / limit))


class PromptList(ResponseModel):
    """A page of prompts."""

    data: list[PromptMeta]
    meta: PageMeta


class Organization(ResponseModel):
    """The owner of the project: always this server."""

    id: str
    name: str


class LangfuseProject(ResponseModel):
    """The key's project."""

    id: str
    name: str
    organization: Organization
    metadata: dict[str, Any]


class ProjectList(ResponseModel):
    """The key's project, in a list of one."""

    data: list[LangfuseProject]


def config_of(version: Version) -> dict[str, Any]:
    """Return the parts of a version besides its text, as a config that `NewPrompt` accepts."""
    model: Mapping[str, Any] = version.content["model"] or {}
    settings = {key: model[name] for key, name in MODEL_KEYS.items() if name in model}
    return settings | {key: version.content[key] for key in PART_KEYS if version.content[key]}


def _template(prompt: JsonValue) -> JsonValue:
    """Return messages in the form of a content: a placeholder is a role, and a message has no type."""
    if not isinstance(prompt, list):
        return prompt
    return [_message(item) if isinstance(item, dict) else item for item in prompt]


def _message(item: dict[str, JsonValue]) -> JsonValue:
    message_type = item.get("type", "message")
    rest = {key: value for key, value in item.items() if key != "type"}
    if message_type == "placeholder":
        return {"role": "placeholder", **rest}
    return rest if message_type in (None, "message", "chatmessage") else item


def _prompt(content: Content, texts: list[str]) -> str | list[dict[str, Any]]:
    if isinstance(content.template, str):
        return texts[0]
    remaining = iter(texts)
    return [
        message.with_sources(remaining) if isinstance(message, Message) else {"type": "placeholder", "name": message.name}
        for message in content.template
    ]


def _request_path(path: str) -> str:
    """Return the path in the request of an error in the content."""
    first, _, rest = path.partition(".")
    if first == "template":
        return ".".join(filter(None, ["prompt", rest]))
    if first == "model":
        return "config." + next((key for key, name in MODEL_KEYS.items() if name == rest.partition(".")[0]), "model")
    return f"config.{path}" if first in PART_KEYS else path
