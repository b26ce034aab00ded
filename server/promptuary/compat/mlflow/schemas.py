"""The wire models of MLflow's prompt API: a prompt is a registered model, a version is a model version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from promptuary.compat.mlflow.tags import IS_PROMPT, NOT_RENDERABLE, SDK, TYPE, content_of, content_tags, free_tags, prompt_tags
from promptuary.compat.sdk_rendering import sdk_texts
from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.core.wire import RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.numbers import parse_version_number
from promptuary.registry.store import PromptRecord
from promptuary.registry.version_store import Version

SOURCES = ("dummy-source", "prompt-template")
"""The sources that MLflow's clients send for a prompt; for a model, the source names its files."""


class ModelTagIn(RequestModel):
    """A text by a key."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=250)]
    value: str = ""


class NewModel(RequestModel):
    """A prompt before its first version."""

    name: str
    tags: Annotated[list[ModelTagIn], Field(max_length=100)] = Field(default_factory=list)
    description: ShortText = ""


class NewModelVersion(RequestModel):
    """A version to register: all of it is in the tags."""

    name: str
    source: str = SOURCES[0]
    tags: Annotated[list[ModelTagIn], Field(max_length=100)]
    description: ShortText = ""

    def content_and_tags(self) -> tuple[Content, tuple[str, ...]]:
        """Return the content to register, and the version's tags.

        Raises:
            InvalidRequest: with every error, by the tag's key.
        """
        field_errors = [FieldError("source", "is for models; a prompt has no source")] if self.source not in SOURCES else []
        return content_of([(tag.key, tag.value) for tag in self.tags], field_errors)


class ModelAlias(RequestModel):
    """A label, which MLflow calls an alias, and its new version."""

    name: str
    alias: str
    version: str


class ModelTag(RequestModel):
    """A tag of a prompt."""

    name: str
    key: Annotated[str, StringConstraints(min_length=1, max_length=250)]
    value: str = ""


class VersionTag(ModelTag):
    """A tag of a version."""

    version: str


class ModelRemoval(RequestModel):
    """The name, and perhaps the version, of what is to be removed."""

    name: str
    version: str | None = None


class AliasRemoval(RequestModel):
    """A label to remove."""

    name: str
    alias: str


class TagRemoval(RequestModel):
    """A tag of a prompt to remove."""

    name: str
    key: str


class VersionTagRemoval(TagRemoval):
    """A tag of a version to remove."""

    version: str


class ModelTagOut(ResponseModel):
    """A text by a key."""

    key: str
    value: str


class AliasOut(ResponseModel):
    """A label and its version; of a split label, the first arm's."""

    alias: str
    version: str


class RegisteredModel(ResponseModel):
    """A prompt, with its own tags."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    tags: list[ModelTagOut]
    aliases: list[AliasOut]

    @classmethod
    def of(cls, prompt: PromptRecord, name: str, first: Version, newest: Version) -> Self:
        """Build the wire model from the prompt, the name that was requested, and the first and newest version."""
        return cls(
            name=name,
            creation_timestamp=_milliseconds(prompt.created_at),
            last_updated_timestamp=_milliseconds(newest.created_at),
            description=first.message,
            aliases=[AliasOut(alias=label, version=str(number)) for label, number in prompt.labels.items()],
            tags=_tags({**prompt_tags(prompt), IS_PROMPT: "true"}),
        )


def pending_model(new: NewModel, now: datetime) -> RegisteredModel:
    """Return a prompt that has no version yet."""
    return RegisteredModel(
        name=new.name,
        creation_timestamp=_milliseconds(now),
        last_updated_timestamp=_milliseconds(now),
        aliases=[],
        description=new.description,
        tags=[ModelTagOut(key=tag.key, value=tag.value) for tag in new.tags],
    )


class ModelResponse(ResponseModel):
    """A prompt, in its wrapper."""

    registered_model: RegisteredModel


class ModelVersion(ResponseModel):
    """A version."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    current_stage: Literal["None"] = "None"
    description: str
    source: str = SOURCES[0]
    status: Literal["READY"] = "READY"
    tags: list[ModelTagOut]
    aliases: list[str]

    @classmethod
    def of(cls, version: Version, name: str) -> Self:
        """Build the wire model with texts that MLflow's SDK can format, under the name that was requested.

        Raises:
            Conflict: when the SDK cannot format them, with the reason.
        """
        content = content_from_json(version.content)
        texts = sdk_texts(content, f"version {version.number} of '{version.prompt}'", SDK)
        return cls._of(version, name, content, texts, {})

    @classmethod
    def listed(cls, version: Version, name: str) -> Self:
        """Build the wire model for a list; a version that MLflow's SDK cannot format has a tag with the reason."""
        try:
            return cls.of(version, name)
        except Conflict as error:
            content = content_from_json(version.content)
            sources = [source for _, source in content.sources()]
            return cls._of(version, name, content, sources, {TYPE: "text", NOT_RENDERABLE: error.message})

    @classmethod
    def _of(cls, version: Version, name: str, content: Content, texts: list[str], extra_tags: Mapping[str, str]) -> Self:
        return cls(
            name=name,
            version=str(version.number),
            creation_timestamp=_milliseconds(version.created_at),
            last_updated_timestamp=_milliseconds(version.created_at),
            user_id=version.author,
            description=version.message,
            tags=_tags({**free_tags(version), **content_tags(version, content, texts), **extra_tags}),
            aliases=list(version.labels),
        )


class ModelVersionResponse(ResponseModel):
    """A version, in its wrapper."""

    model_version: ModelVersion


class ModelList(ResponseModel):
    """A page of prompts."""

    registered_models: list[RegisteredModel]
    next_page_token: str = ""


class ModelVersionList(ResponseModel):
    """A page of versions."""

    model_versions: list[ModelVersion]
    next_page_token: str = ""


class EmptyResponse(ResponseModel):
    """An empty response."""


def version_number(text: str) -> int:
    """Parse a version number, which MLflow sends as a text.

    Raises:
        InvalidRequest: when it is not a number.
    """
    number = parse_version_number(text)
    if number is None:
        raise InvalidRequest("the request is invalid", [FieldError("version", "must be a number in plain digits, such as 12")])
    return number


def _tags(tags: Mapping[str, str]) -> list[ModelTagOut]:
    return [ModelTagOut(key=key, value=value) for key, value in tags.items()]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
