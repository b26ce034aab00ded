"""The wire models of the registry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, SchemaOf, ShortText
from promptuary.prompt.content import Content, ContextBinding, ModelConfig, Placeholder
from promptuary.prompt.digest import content_json
from promptuary.prompt.messages.message import Message
from promptuary.prompt.name import Name
from promptuary.prompt.templates.preparation import inferred_variables
from promptuary.prompt.variables import Variable
from promptuary.registry.composition import IncludeUpdate
from promptuary.registry.events.event import EventKind
from promptuary.registry.label_store import OLD_ROLLBACK_REASON
from promptuary.registry.service import LookupResult, RegistrationPreview
from promptuary.registry.similarity import RegistrationWarning
from promptuary.registry.version_store import Version

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
MessageJson = Annotated[dict[str, Any], SchemaOf(Message)]
PlaceholderJson = Annotated[dict[str, Any], SchemaOf(Placeholder)]


class NewVersion(Content):
    """A version to register: the content, its message, tags and labels, and the prompt's name in another registry."""

    model_config = ConfigDict(defer_build=False)  # FastAPI expects the models of bodies to be built

    message: ShortText = ""
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    labels: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    given_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None

    @model_validator(mode="after")
    def _has_no_partials(self) -> Self:
        if self.partials:
            raise ValueError("the registry adds the partials; include a prompt by {{> its.name}}")
        return self

    def sent_tags(self) -> tuple[str, ...] | None:
        """Return the tags; None where the body has none, so that those of a version with the same content stay."""
        return tuple(self.tags) if "tags" in self.model_fields_set else None

    def content(self) -> Content:
        """Return the content alone."""
        return Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields})


class NewTags(RequestModel):
    """All tags that a version or a prompt has from now on; a tag with a key and a value is `key=value`."""

    tags: Annotated[list[NonEmptyText], Field(max_length=50)]


class TagsOut(ResponseModel):
    """The tags of a version, or a prompt's own."""

    tags: list[str]


class IncludeOut(ResponseModel):
    """A reference in the templates, and the version of another prompt to which it is pinned."""

    reference: str
    name: str
    version: int
    digest: str


class VersionIdentity(ResponseModel):
    """What identifies and describes a version; `tags` are the version's, `prompt_tags` its prompt's.

    `given_name` is the prompt's name in another registry's SDK; None where it has no other.
    """

    name: str
    version: int
    digest: str
    labels: list[str]
    message: str
    tags: list[str]
    author: str
    author_id: str
    created_at: datetime
    includes: list[IncludeOut] = Field(default_factory=list)
    given_name: str | None
    prompt_tags: list[str]

    @staticmethod
    def fields_of(version: Version) -> dict[str, Any]:
        """Return the values of these fields for a version."""
        return {
            "name": version.prompt,
            "version": version.number,
            "digest": version.digest,
            "labels": list(version.labels),
            "message": version.message,
            "tags": list(version.tags),
            "author": version.author,
            "author_id": version.author_id,
            "created_at": version.created_at,
            "includes": [IncludeOut.model_validate(include) for include in version.includes],
            "given_name": version.given_name,
            "prompt_tags": list(version.prompt_tags),
        }


class VersionOut(VersionIdentity):
    """A version with its content."""

    type: str
    template: str | list[MessageJson | PlaceholderJson]
    format: str
    variables: dict[str, Annotated[dict[str, Any], SchemaOf(Variable)]]
    model: Annotated[dict[str, Any], SchemaOf(ModelConfig)] | None
    response_format: dict[str, Any] | None
    tools: list[dict[str, Any]] | None
    partials: dict[str, str]
    context: Annotated[dict[str, Any], SchemaOf(ContextBinding)] | None
    config: Any = None

    @classmethod
    def of(cls, version: Version, **fields: Any) -> Self:
        """Build the wire model from the domain value."""
        return cls(**cls.fields_of(version), **version.content, **fields)


class ErasedVersionOut(VersionIdentity):
    """A version whose content was erased: what identifies it stays."""

    erased_at: datetime

    @classmethod
    def of(cls, version: Version, erased_at: datetime) -> Self:
        """Build the wire model from the domain value."""
        return cls(**cls.fields_of(version), erased_at=erased_at)


class PreviewOut(ResponseModel):
    """What a registration would do; nothing was written."""

    name: str
    version: int
    digest: str
    created: bool
    content: Annotated[dict[str, Any], SchemaOf(Content)]
    includes: list[IncludeOut]

    @classmethod
    def of(cls, name: str, preview: RegistrationPreview) -> Self:
        """Build the wire model from the domain value."""
        return cls(
            name=name,
            version=preview.number,
            digest=preview.content.digest,
            created=preview.created,
            content=content_json(preview.content.content),
            includes=[IncludeOut.model_validate(include) for include in preview.includes],
        )


class ArmOut(ResponseModel):
    """An arm of a split label: its version, its weight as it was sent, and its half-open ranges of buckets."""

    version: int
    weight: float
    buckets: list[tuple[int, int]]


class SplitOut(ResponseModel):
    """A split label, from which a client can compute the arm by itself (docs/split-labels.md)."""

    salt: str
    arms: list[ArmOut]


class RegistrationWarningOut(ResponseModel):
    """Another prompt like the registered one, or why none could be looked for."""

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
    """The response to a lookup. `variant` names the arm of a split label; `revision` grows with every change of the prompt.

    `variables` has the ones that only the template uses, too; `inferred` has their names. The digest does not cover those.
    """

    inferred: list[str] = Field(default_factory=list)
    label: str | None
    variant: str | None
    split: SplitOut | None
    revision: int

    @classmethod
    def from_result(cls, result: LookupResult, *, infers: bool = True) -> Self:
        """Build the wire model from the domain value; `infers` is false for clients whose digest covers every variable."""
        split = SplitOut.model_validate(result.split) if result.split else None
        lookup = cls.of(result.version, label=result.label, variant=result.variant, split=split, revision=result.revision)
        return lookup._with_inferred(result.version) if infers else lookup

    def _with_inferred(self, version: Version) -> Self:
        """Return the response with the variables that only the template uses."""
        inferred = inferred_variables(version.content)
        declarations = {name: variable.model_dump(exclude_none=True) for name, variable in inferred.items()}
        return self.model_copy(update={"variables": self.variables | declarations, "inferred": list(inferred)})


class PromptOut(ResponseModel):
    """A prompt in a list. `labels` has the first arm of a split label; `splits` has all arms.

    `tags` are the prompt's own and its newest version's. `given_name` is its name in another registry's SDK.
    """

    name: str
    given_name: str | None
    newest: int
    labels: dict[str, int]
    splits: dict[str, SplitOut]
    tags: list[str]
    revision: int
    created_at: datetime
    archived_at: datetime | None


class ArmIn(RequestModel):
    """An arm of a new split: a version and its weight, relative to the sum of all."""

    version: Number
    weight: float


class MoveLabel(RequestModel):
    """The new target of a label (one version, or several with weights), and why it moves."""

    version: Number | None = None
    # The check of the whole split refuses fewer than two arms, with the remedy.
    split: Annotated[list[ArmIn], Field(max_length=16, json_schema_extra={"minItems": 2})] | None = None
    reason: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.version is None) == (self.split is None):
            raise ValueError("send either a version or a split")
        return self


class RollBack(RequestModel):
    """Why a label is rolled back, and the version that it goes back to; without one, to its last different target."""

    to: Number | None = None
    reason: Annotated[str, Field(max_length=2000)] = OLD_ROLLBACK_REASON


class Archive(RequestModel):
    """Why a prompt is archived or restored."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Renew(RequestModel):
    """Why the includes are resolved again."""

    message: ShortText = "includes resolved again"


class LabelOut(ResponseModel):
    """What a label points at, and since when. A split label has the version of its first arm in `version`."""

    name: str
    version: int
    split: SplitOut | None
    revision: int
    moved_at: datetime


class MoveOut(ResponseModel):
    """One move of a label; `version` and `split` are null where it was removed."""

    label: str
    version: int | None
    split: SplitOut | None
    previous: int | None
    actor: str
    actor_id: str
    reason: str
    revision: int
    at: datetime
    rollback: bool


class EventOut(ResponseModel):
    """An event of a prompt, under its revision of the project."""

    revision: int
    kind: EventKind
    prompt: str
    detail: dict[str, Any]
    at: datetime


class DependentOut(ResponseModel):
    """A version in use that includes the prompt: its reference, the pinned version, and the version that it could take."""

    prompt: str
    version: int
    reference: str
    pinned: int
    offered: int | None

    @classmethod
    def of(cls, update: IncludeUpdate) -> Self:
        """Build the wire model from the domain value."""
        return cls(**vars(update.dependent), offered=update.offered)


class Dependents(ResponseModel):
    """The versions in use that include a prompt."""

    dependents: list[DependentOut]
