"""The wire models of Phoenix's client, and the conversion of a version to them.

Phoenix has chats with `{{name}}` variables, and the invocation parameters of a provider. A text is a chat of one message.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from promptuary.compat.sdk_rendering import Piece, SdkTemplateReader, sdk_texts
from promptuary.core.errors import NotFound
from promptuary.core.wire import ResponseModel
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.model_settings import ModelSettings, model_settings
from promptuary.prompt.templates import mustache
from promptuary.registry.store import PromptRecord
from promptuary.registry.version_store import Version

_NAME = re.compile(r"(?<!\\)\{\{\s*(\w+)\s*\}\}")
_ID = "PromptVersion"
_PROVIDERS = {
    "openai": "OPENAI",
    "azure_openai": "AZURE_OPENAI",
    "anthropic": "ANTHROPIC",
    "google_genai": "GOOGLE",
    "google_vertexai": "GOOGLE",
    "deepseek": "DEEPSEEK",
    "xai": "XAI",
    "ollama": "OLLAMA",
    "bedrock": "AWS",
    "bedrock_converse": "AWS",
    "cerebras": "CEREBRAS",
    "fireworks": "FIREWORKS",
    "groq": "GROQ",
    "perplexity": "PERPLEXITY",
    "together": "TOGETHER",
}
"""LangChain's names of providers, and Phoenix's."""
_OPENAI_SETTINGS = {
    key: key
    for key in (
        "temperature",
        "max_tokens",
        "top_p",
        "seed",
        "stop",
        "frequency_penalty",
        "presence_penalty",
        "reasoning_effort",
    )
}
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "ANTHROPIC": {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p", "stop": "stop_sequences"},
    "AWS": {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p", "stop": "stop_sequences"},
    "GOOGLE": {
        "temperature": "temperature",
        "max_tokens": "max_output_tokens",
        "top_p": "top_p",
        "top_k": "top_k",
        "stop": "stop_sequences",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
    },
}
_ANTHROPIC_MAX_TOKENS = 1000
"""The value of Phoenix's client where a prompt names none; Anthropic requires one."""


def _read(text: str) -> Iterator[Piece]:
    """Parse a text as Phoenix's client formats it."""
    at = 0
    for match in _NAME.finditer(text):
        yield mustache.Literal(text[at : match.start()])
        yield mustache.Tag(match.group(1))
        at = match.end()
    yield mustache.Literal(text[at:])


SDK = SdkTemplateReader(
    name="Phoenix's client",
    read=_read,
    instead="use Promptuary's client, or POST /v1/prompts/{name}/render",
    takes_placeholders=False,
)


class PhoenixMessage(ResponseModel):
    """A message of a chat."""

    role: str
    content: str


class ChatTemplate(ResponseModel):
    """The messages of a chat."""

    type: Literal["chat"] = "chat"
    messages: list[PhoenixMessage]


class PhoenixVersion(ResponseModel):
    """A version; `tools` and `response_format` are left out where there are none."""

    id: str
    description: str
    model_provider: str
    model_name: str
    template: ChatTemplate
    template_type: Literal["CHAT"] = "CHAT"
    template_format: Literal["MUSTACHE"] = "MUSTACHE"
    invocation_parameters: dict[str, Any]
    tools: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    response_format: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, version: Version) -> Self:
        """Build the wire model with texts that Phoenix's client can format.

        Raises:
            Conflict: when the client cannot format them, with the reason.
        """
        content = content_from_json(version.content)
        texts = sdk_texts(content, f"version {version.number} of '{version.prompt}'", SDK)
        settings = model_settings(content)
        provider, model = _model(settings.name or "")
        return cls(
            id=version_id(version),
            description=version.message,
            model_provider=provider,
            model_name=model,
            template=ChatTemplate(messages=_messages(content, texts)),
            invocation_parameters=_parameters(provider, settings),
            tools={"type": "tools", "tools": [_tool(tool) for tool in settings.tools]} if settings.tools else None,
            response_format=_response_format(settings),
        )


class VersionResponse(ResponseModel):
    """A version, in its wrapper."""

    data: PhoenixVersion


class VersionList(ResponseModel):
    """A page of versions."""

    data: list[PhoenixVersion]
    next_cursor: str | None


class PhoenixPrompt(ResponseModel):
    """A prompt in a list."""

    id: str
    name: str
    description: str | None = None

    @classmethod
    def of(cls, prompt: PromptRecord) -> Self:
        """Build the wire model."""
        return cls(id=_encoded(f"Prompt:{prompt.name}"), name=prompt.given_name or prompt.name)


class PhoenixPromptList(ResponseModel):
    """A page of prompts."""

    data: list[PhoenixPrompt]
    next_cursor: str | None


class PhoenixTag(ResponseModel):
    """A label of a version, which Phoenix calls a tag."""

    id: str
    name: str


class VersionTagList(ResponseModel):
    """The labels of a version."""

    data: list[PhoenixTag]
    next_cursor: str | None = None

    @classmethod
    def of(cls, version: Version) -> Self:
        """Build the wire model."""
        tags = [PhoenixTag(id=_encoded(f"PromptVersionTag:{version.prompt}:{label}"), name=label) for label in version.labels]
        return cls(data=tags)


def version_id(version: Version) -> str:
    """Return the id of a version in the form of Phoenix's ids."""
    return _encoded(f"{_ID}:{version.prompt}:{version.number}")


def parse_version_id(text: str) -> tuple[str, int]:
    """Return the name and the number in a version's id.

    Raises:
        NotFound: when it is no such id.
    """
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        decoded = ""
    match = re.fullmatch(rf"{_ID}:([^:]+):([1-9][0-9]{{0,8}})", decoded)
    if match is None:
        raise NotFound("there is no such version: the id is none that this server has sent")
    return match[1], int(match[2])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _messages(content: Content, texts: Sequence[str]) -> list[PhoenixMessage]:
    if isinstance(content.template, str):
        return [PhoenixMessage(role="user", content=texts[0])]
    return [PhoenixMessage(role=message.role, content=text) for message, text in zip(content.template, texts, strict=True)]


def _model(name: str) -> tuple[str, str]:
    """Return Phoenix's provider and the model's name there; a provider that Phoenix does not know stays in the name."""
    provider, _, model = name.partition(":")
    return (_PROVIDERS[provider], model) if model and provider in _PROVIDERS else ("OPENAI", name)


def _parameters(provider: str, settings: ModelSettings) -> dict[str, Any]:
    names = _SETTINGS.get(provider, _OPENAI_SETTINGS)
    values = {name: settings.values[setting] for setting, name in names.items() if setting in settings.values}
    if provider == "ANTHROPIC":
        values.setdefault("max_tokens", _ANTHROPIC_MAX_TOKENS)
    kind = provider.lower()
    return {"type": kind, kind: values}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return dict(tool) if tool.get("type") == "function" and "function" in tool else {"type": "raw", "raw": dict(tool)}


def _response_format(settings: ModelSettings) -> dict[str, Any] | None:
    """Return the response format where Phoenix has a form for it: a JSON schema."""
    response_format = settings.response_format
    is_schema = response_format is not None and response_format.get("type") == "json_schema"
    return dict(response_format) if is_schema and response_format else None
