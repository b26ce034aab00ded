"""The wire models of the Langfuse SDK, and their conversion to and from the registry's versions.

A Langfuse prompt's `config` is the version's `config`, as it was sent. Parts that a version has besides (model, response
format, tools, variables) are in its config for the SDK, too.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError

from promptuary.compat.config_overrides import overridden_config
from promptuary.compat.sdk_rendering import Piece, SdkTemplateReader, content_of_sdk, sdk_texts
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.config_declarations import with_config_declarations
from promptuary.prompt.messages.message import Message
from promptuary.prompt.name import LATEST
from promptuary.prompt.templates import mustache
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.registry.version_store import Version

MODEL_KEYS = {"model": "name", **{key: key for key in ("temperature", "max_tokens", "top_p", "seed", "stop")}}
"""The keys of a config that belong to the version's `model`, and their names there."""
PART_KEYS = ("response_format", "tools", "variables")
"""The keys of a config for a version's parts of these names."""
_REFERENCE = "@@@langfusePrompt:"
_NAME = re.compile(r"\w[\w.-]*")


def _read(text: str, is_name: Callable[[str], bool] = lambda _: True) -> Iterator[Piece]:
    """Parse a text as the SDK's `compile` does: everything from `{{` to the next `}}` is a variable."""
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        name = text[start + 2 : end].strip()
        yield mustache.Literal(text[at:start])
        yield mustache.Tag(name) if is_name(name) else mustache.Literal(text[start : end + 2])
        at = end + 2
    yield mustache.Literal(text[at:])


def _is_name(text: str) -> bool:
    """Return whether a program may pass a value by this name; it passes none by `"key": "value"` or `a b`."""
    return _NAME.fullmatch(text) is not None


def _refuses(message: Message) -> str | None:
    """Return what the SDK does not carry: it keeps a role and a text of each message, and nothing else."""
    if not isinstance(message.content, str):
        return "a content that is not a text" if message.tool_calls is None else "tool calls"
    fields = [name for name in ("name", "tool_calls", "tool_call_id") if getattr(message, name) is not None]
    return f"{' and '.join(fields)}, which the SDK drops"


SDK = SdkTemplateReader(
    refuses=_refuses,
    name="the Langfuse SDK",
    read=_read,
    read_names=partial(_read, is_name=_is_name),
    instead="use Promptuary's client, or request the source with resolve=false",
)


class NewPrompt(RequestModel):
    """A prompt version to register."""

    name: str
    prompt: JsonValue
    type: Literal["text", "chat"] = "text"
    config: JsonValue = None
    labels: Annotated[list[str], Field(max_length=50)] | None = None
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] | None = None
    commitMessage: ShortText | None = None

    def content(self) -> Content:
        """Return the content to register.

        Raises:
            InvalidRequest: with every error, by the path in the request.
        """
        field_errors: list[FieldError] = []
        content = None
        try:
            parts = {
                "type": self.type,
                "template": _template(self.prompt),
                "config": None if self.config == {} else self.config,
            }
            content, contradictions = with_config_declarations(content_of_sdk(parts, SDK))
            field_errors += contradictions
        except ValidationError as error:
            field_errors += [
                FieldError(_request_path(field_error.path), field_error.message) for field_error in field_errors_from(error)
            ]
        except InvalidPrompt as error:
            field_errors += [FieldError(_request_path(each.path), each.message) for each in error.field_errors]
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
    config: JsonValue
    labels: list[str]
    tags: list[str]
    commitMessage: str | None
    createdAt: datetime
    createdBy: str
    digest: str
    format: str

    @classmethod
    def as_source(cls, version: Version, name: str) -> Self:
        """Build the response with the texts as they were registered, in any format, under the name that was requested."""
        content = content_from_json(version.content)
        sources = [source for _, source in content.sources()]
        return cls._of(version, name, content, texts=sources, template_format=content.format)

    @classmethod
    def resolved(cls, version: Version, name: str) -> Self:
        """Build the response with texts that the SDK can compile, partials included, under the name that was requested.

        Raises:
            Conflict: when the SDK cannot compile it, with the reason.
        """
        content = content_from_json(version.content)
        texts = sdk_texts(content, f"version {version.number} of '{version.prompt}'", SDK)
        template_format = "simple" if content.format == "simple" else "mustache"
        return cls._of(version, name, content, texts=texts, template_format=template_format)

    @classmethod
    def _of(cls, version: Version, name: str, content: Content, *, texts: list[str], template_format: str) -> Self:
        return cls(
            name=name,
            version=version.number,
            type=content.type,
            prompt=_prompt(content, texts),
            config=config_of(version),
            labels=labels_of(version),
            tags=list(version.prompt_tags),
            commitMessage=version.message or None,
            createdAt=version.created_at,
            createdBy=version.author,
            digest=version.digest,
            format=template_format,
        )


class PromptMeta(ResponseModel):
    """A prompt in a list; type and config are its newest version's."""

    name: str
    type: str
    versions: list[int]
    labels: list[str]
    tags: list[str]
    lastUpdatedAt: datetime
    lastConfig: JsonValue


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


def labels_of(version: Version) -> list[str]:
    """Return a version's labels; `latest` is one of the newest version's, as on Langfuse's server."""
    return [*version.labels, LATEST] if version.is_newest else list(version.labels)


def config_of(version: Version) -> JsonValue:
    """Return a version's config with the settings of its model and its other parts, which override the config's own.

    The config's own `variables` stay: where they are declarations, they are the version's.
    """
    config: JsonValue = version.content["config"]
    if config is not None and not isinstance(config, dict):
        return config
    parts = version.content
    model: Mapping[str, Any] = parts["model"] or {}
    settings = {key: model[name] for key, name in MODEL_KEYS.items() if name in model}
    settings |= {key: parts[key] for key in ("tools", "response_format") if parts[key]}
    config = overridden_config(config or {}, parts, settings)
    return config | {"variables": parts["variables"]} if parts["variables"] and "variables" not in config else config


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
    return ".".join(filter(None, ["prompt", rest])) if first == "template" else path
