"""The data of the events that webhooks send about prompts."""

from typing import Any

from pydantic import ConfigDict

from promptuary.core.wire import ResponseModel


class _EventData(ResponseModel):
    model_config = ConfigDict(extra="forbid")

    project: str


class PromptEventData(_EventData):
    """An event of a prompt: who caused it, and the project's revision, which grows with each event."""

    prompt: str
    revision: int
    actor: str
    actor_id: str


class VersionData(PromptEventData):
    """A version was registered, or its content erased."""

    version: int
    digest: str


class LabelMovedData(PromptEventData):
    """A label was moved to a version, or split; `previous` is the version that it had, or its first arm's."""

    label: str
    version: int | None
    split: dict[str, Any] | None
    previous: int | None
    reason: str
    rollback: bool = False


class LabelRemovedData(PromptEventData):
    """A label was removed; `version` and `split` are null."""

    label: str
    version: None
    split: None
    previous: int | None
    reason: str


class PromptArchivedData(PromptEventData):
    """A prompt was archived or restored."""

    reason: str


class TagsChangedData(PromptEventData):
    """Tags were set or removed; `tags` are those of the version, or of the prompt where `version` is null."""

    version: int | None
    tags: list[str]
