"""What MLflow's prompt API sends and reads: a prompt is a registered model, a version is a model version."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from promptuary.compat.mlflow.tags import IS_PROMPT, NOT_RENDERABLE, SDK, TYPE, content_of, content_tags, free_tags
from promptuary.compat.sdk_rendering import sdk_texts
from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.core.wire import RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.registry.store import Prompt, Version

SOURCES = ("dummy-source", "prompt-template")
"""What MLflow's own clients say where a model would name its files."""


class ModelTagIn(RequestModel):
    """A text by a key."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=250)]
    value: str = ""


class NewModel(RequestModel):
    """A prompt that is about to get its first version."""

    name: str
    tags: Annotated[list[ModelTagIn], Field(max_length=100)] = Field(default_factory=list)
    description: ShortText = ""


class NewModelVersion(RequestModel):
    """A version to register: all of it is in the tags."""

    name: str
    source: str = SOURCES[0]
    tags: Annotated[list[ModelTagIn], Field(max_length=100)]
    description: ShortText = ""

    def registered(self) -> tuple[Content, tuple[str, ...]]:
        """Give the content that is to be registered, and the words that its tags become.

        Raises:
            InvalidRequest: with every fault, by the tag's key.
        """
        field_errors = [FieldError("source", "is for models; a prompt has none")] if self.source not in SOURCES else []
        return content_of([(tag.key, tag.value) for tag in self.tags], field_errors)


class ModelAlias(RequestModel):
    """A label, as MLflow calls it, and where it is to point."""

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
    """Something that is to be removed, by its name and what else it takes."""

    name: str
    alias: str | None = None
    key: str | None = None
    version: str | None = None


class ModelTagOut(ResponseModel):
    """A text by a key."""

    key: str
    value: str


class AliasOut(ResponseModel):
    """A label, and the version it points at; of a split one, its first."""

    alias: str
    version: str


class RegisteredModel(ResponseModel):
    """A prompt; its tags are its newest version's."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    tags: list[ModelTagOut]
    aliases: list[AliasOut]

    @classmethod
    def of(cls, prompt: Prompt, first: Version, newest: Version) -> Self:
        """Make it from the prompt and its first and newest version."""
        return cls(
            name=prompt.name,
            creation_timestamp=_milliseconds(prompt.created_at),
            last_updated_timestamp=_milliseconds(newest.created_at),
            description=first.message,
            aliases=[AliasOut(alias=label, version=str(number)) for label, number in prompt.labels.items()],
            tags=_tags({**free_tags(newest), IS_PROMPT: "true"}),
        )


def pending_model(asked: NewModel, now: datetime) -> RegisteredModel:
    """Give a prompt that has no version yet as MLflow would keep it."""
    return RegisteredModel(
        name=asked.name,
        creation_timestamp=_milliseconds(now),
        last_updated_timestamp=_milliseconds(now),
        aliases=[],
        description=asked.description,
        tags=[ModelTagOut(key=tag.key, value=tag.value) for tag in asked.tags],
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
    def of(cls, version: Version) -> Self:
        """Give it as MLflow's SDK can format it.

        Raises:
            Conflict: when it cannot, with the reason.
        """
        content = content_from_json(version.content)
        return cls._of(version, content, sdk_texts(content, f"version {version.number} of '{version.prompt}'", SDK), {})

    @classmethod
    def listed(cls, version: Version) -> Self:
        """Give it for a list, which one version that MLflow's SDK cannot format does not spoil: its tag says why not."""
        try:
            return cls.of(version)
        except Conflict as refused:
            content = content_from_json(version.content)
            return cls._of(version, content, content.texts(), {TYPE: "text", NOT_RENDERABLE: refused.message})

    @classmethod
    def _of(cls, version: Version, content: Content, texts: list[str], more: Mapping[str, str]) -> Self:
        return cls(
            name=version.prompt,
            version=str(version.number),
            creation_timestamp=_milliseconds(version.created_at),
            last_updated_timestamp=_milliseconds(version.created_at),
            user_id=version.author,
            description=version.message,
            tags=_tags({**free_tags(version), **content_tags(version, content, texts), **more}),
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
    """Nothing to say."""


def version_number(text: str) -> int:
    """Read a version, which MLflow writes as a text.

    Raises:
        InvalidRequest: when it is no number.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidRequest("the request cannot be used", [FieldError("version", "must be a number")])
    return int(text)


def _tags(tags: Mapping[str, str]) -> list[ModelTagOut]:
    return [ModelTagOut(key=key, value=value) for key, value in tags.items()]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
