"""What the registry's routes take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.base.wire import Labelled, Received, Sent, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.name import Name
from promptuary.registry.service import Found
from promptuary.registry.store import Version

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewVersion(Content):
    """A version to register: the content, and what goes with it."""

    message: ShortText = ""
    tags: Annotated[list[Labelled], Field(max_length=50)] = Field(default_factory=list)
    labels: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)

    def content(self) -> Content:
        """Give the content alone."""
        return Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields})


class VersionOut(Sent):
    """A version, whole."""

    name: str
    version: int
    digest: str
    type: str
    template: str | list[dict[str, Any]]
    format: str
    variables: dict[str, Any]
    model: dict[str, Any] | None
    response_format: dict[str, Any] | None
    tools: list[dict[str, Any]] | None
    partials: dict[str, str]
    context: dict[str, Any] | None
    labels: list[str]
    message: str
    tags: list[str]
    author: str
    created_at: datetime

    @classmethod
    def of(cls, version: Version, **more: Any) -> Self:
        """Make it from the domain's value."""
        return cls(
            name=version.prompt,
            version=version.number,
            digest=version.digest,
            labels=list(version.labels),
            message=version.message,
            tags=list(version.tags),
            author=version.author,
            created_at=version.created_at,
            **version.content,
            **more,
        )


class LookupOut(VersionOut):
    """The answer to a lookup. `variant` names the arm of a split label; `revision` grows with every change of the prompt."""

    label: str | None
    variant: str | None = None
    revision: int

    @classmethod
    def found(cls, found: Found) -> Self:
        """Make it from the domain's value."""
        return cls.of(found.version, label=found.label, revision=found.revision)


class PromptOut(Sent):
    """A prompt in a list."""

    name: str
    newest: int
    labels: dict[str, int]
    revision: int
    created_at: datetime


class MoveLabel(Received):
    """Where a label is to point, and why."""

    version: Number
    reason: Annotated[str, Field(max_length=2000)] = ""


class RollBack(Received):
    """Why a label goes back."""

    reason: Annotated[str, Field(max_length=2000)] = "rolled back"


class LabelOut(Sent):
    """Where a label points, and since when."""

    name: str
    version: int
    revision: int
    moved_at: datetime


class MoveOut(Sent):
    """One move of a label."""

    label: str
    version: int
    previous: int | None
    actor: str
    reason: str
    revision: int
    at: datetime
