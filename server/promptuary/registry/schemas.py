"""What the registry's routes take and answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.name import Name
from promptuary.registry.composition import IncludeUpdate
from promptuary.registry.events import EventKind
from promptuary.registry.service import LookupResult, RegistrationPreview
from promptuary.registry.similarity import RegistrationWarning
from promptuary.registry.store import Version

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewVersion(Content):
    """A version to register: the content, and what goes with it."""

    message: ShortText = ""
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    labels: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _partials_are_resolved_here(self) -> Self:
        if self.partials:
            raise ValueError("partials are put in by the registry; include a prompt by {{> its.name}}")
        return self

    def content(self) -> Content:
        """Give the content alone."""
        return Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields})


class IncludeOut(ResponseModel):
    """A reference in the templates, and the version of another prompt to which it is pinned."""

    reference: str
    name: str
    version: int
    digest: str


class VersionOut(ResponseModel):
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
    includes: list[IncludeOut] = Field(default_factory=list)

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
            includes=[IncludeOut.model_validate(include) for include in version.includes],
            **version.content,
            **more,
        )


class PreviewOut(ResponseModel):
    """What registering would do; nothing was written."""

    name: str
    version: int
    digest: str
    created: bool
    content: dict[str, Any]
    includes: list[IncludeOut]

    @classmethod
    def of(cls, name: str, preview: RegistrationPreview) -> Self:
        """Make it from the domain's value."""
        return cls(
            name=name,
            version=preview.number,
            digest=preview.digest,
            created=preview.created,
            content=content_json(preview.content),
            includes=[IncludeOut.model_validate(include) for include in preview.includes],
        )


class ArmOut(ResponseModel):
    """An arm of a split label: its version, its weight as it was given, and the buckets that it owns, half-open."""

    version: int
    weight: float
    buckets: list[tuple[int, int]]


class SplitOut(ResponseModel):
    """A split label whole, so that a client can decide by itself (docs/split-labels.md)."""

    salt: str
    arms: list[ArmOut]


class RegistrationWarningOut(ResponseModel):
    """Another prompt like the one that was registered, or why none could be looked for."""

    code: str
    detail: str
    name: str | None
    version: int | None
    score: float | None


class RegisteredOut(VersionOut):
    """The response to a registration: the version with the content, and warnings about it."""

    warnings: list[RegistrationWarningOut] = Field(default_factory=list)

    @classmethod
    def with_warnings(cls, version: Version, warnings: Sequence[RegistrationWarning]) -> Self:
        """Build the wire model from the domain values."""
        return cls.of(version).replace_warnings(warnings)

    def replace_warnings(self, warnings: Sequence[RegistrationWarning]) -> Self:
        """Return the same response with other warnings."""
        return self.model_copy(update={"warnings": [RegistrationWarningOut.model_validate(warning) for warning in warnings]})


class LookupOut(VersionOut):
    """The answer to a lookup. `variant` names the arm of a split label; `revision` grows with every change of the prompt."""

    label: str | None
    variant: str | None
    split: SplitOut | None
    revision: int

    @classmethod
    def found(cls, found: LookupResult) -> Self:
        """Make it from the domain's value."""
        split = SplitOut.model_validate(found.split) if found.split else None
        return cls.of(found.version, label=found.label, variant=found.variant, split=split, revision=found.revision)


class PromptOut(ResponseModel):
    """A prompt in a list. `labels` has a split label's first arm; `splits` has such labels whole."""

    name: str
    newest: int
    labels: dict[str, int]
    splits: dict[str, SplitOut]
    tags: list[str]
    revision: int
    created_at: datetime
    archived_at: datetime | None


class ArmIn(RequestModel):
    """An arm to be: a version and its weight, which counts relative to the sum."""

    version: Number
    weight: float


class MoveLabel(RequestModel):
    """Where a label is to point (one version, or several with weights), and why."""

    version: Number | None = None
    split: Annotated[list[ArmIn], Field(min_length=2, max_length=16)] | None = None
    reason: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.version is None) == (self.split is None):
            raise ValueError("give a version, or a split, and not both")
        return self


class RollBack(RequestModel):
    """Why a label goes back."""

    reason: Annotated[str, Field(max_length=2000)] = "rolled back"


class Archive(RequestModel):
    """Why a prompt is archived or restored."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Renew(RequestModel):
    """Why the includes are resolved anew."""

    message: ShortText = "includes resolved anew"


class LabelOut(ResponseModel):
    """Where a label points, and since when. A split label has its first arm's version in `version`."""

    name: str
    version: int
    split: SplitOut | None
    revision: int
    moved_at: datetime


class MoveOut(ResponseModel):
    """One move of a label."""

    label: str
    version: int
    split: SplitOut | None
    previous: int | None
    actor: str
    reason: str
    revision: int
    at: datetime


class EventOut(ResponseModel):
    """Something that happened to a prompt, under the project's revision that it made."""

    revision: int
    kind: EventKind
    prompt: str
    detail: dict[str, Any]
    at: datetime


class DependentOut(ResponseModel):
    """A version in use that includes the prompt: by which reference, pinned to which version, and which it could have."""

    prompt: str
    version: int
    reference: str
    pinned: int
    offered: int | None

    @classmethod
    def of(cls, offer: IncludeUpdate) -> Self:
        """Make it from the domain's value."""
        return cls(**vars(offer.dependent), offered=offer.offered)


class Dependents(ResponseModel):
    """What includes a prompt."""

    dependents: list[DependentOut]
