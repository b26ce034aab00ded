"""The wire models of an import."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from promptuary.access.identity import is_identity
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, ShortText, Timestamp
from promptuary.prompt.content import Content
from promptuary.prompt.digest import EncodedContent, encode_content, erased_content
from promptuary.prompt.name import Name
from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.imports.history import (
    Archival,
    ImportedInclude,
    ImportedNaming,
    ImportedVersion,
    ImportResult,
    PromptHistory,
)
from promptuary.registry.label_store import OLD_ROLLBACK_REASON, LabelTarget, NewLabelMove
from promptuary.registry.schemas import Number

Reason = Annotated[str, Field(max_length=2000)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


def _refuse_identity(actor: str) -> str:
    if is_identity(actor):
        raise ValueError("has the form of an identity of this server; an import has names of people and keys")
    return actor


Actor = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_refuse_identity)]
"""Who did something on another server, as that server named them: nobody of this one."""


class ImportedIncludeIn(RequestModel):
    """A reference in a version, and the version to which it was pinned."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    name: Name
    version: Number
    digest: Digest


class ImportedIdentityIn(RequestModel):
    """What identifies and describes a version on another server, without the fields that only that server needs."""

    version: Number
    digest: Digest
    message: ShortText = ""
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    author: Actor
    created_at: Timestamp
    includes: Annotated[list[ImportedIncludeIn], Field(max_length=1000)] = Field(default_factory=list)

    def with_content(self, content: EncodedContent, erased_at: datetime | None = None) -> ImportedVersion:
        """Return the domain value with the version's content, or with the time at which that was erased."""
        return ImportedVersion(
            number=self.version,
            digest=self.digest,
            content=content,
            message=self.message,
            tags=tuple(self.tags),
            author=self.author,
            created_at=self.created_at,
            includes=tuple(ImportedInclude(**include.model_dump()) for include in self.includes),
            erased_at=erased_at,
        )


class ImportedVersionIn(ImportedIdentityIn, Content):
    """A version as another server returns it."""

    def to_domain(self) -> ImportedVersion:
        """Return the domain value."""
        content = Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields})
        return self.with_content(encode_content(content))


class ErasedVersionIn(ImportedIdentityIn):
    """A version that was erased on the other server; its number and digest stay."""

    erased_at: Timestamp

    def to_domain(self) -> ImportedVersion:
        """Return the domain value."""
        return self.with_content(erased_content(self.digest), self.erased_at)


class ImportedArmIn(RequestModel):
    """An arm of a split, with its buckets."""

    version: Number
    weight: float
    buckets: Annotated[list[Annotated[list[int], Field(min_length=2, max_length=2)]], Field(max_length=10_000)]


class ImportedSplitIn(RequestModel):
    """A split of the label history."""

    salt: Annotated[str, StringConstraints(max_length=300)]
    arms: Annotated[list[ImportedArmIn], Field(min_length=2, max_length=16)]

    def to_domain(self) -> Split:
        """Return the domain value.

        Raises:
            InvalidSplit: when a bucket is not in exactly one arm.
        """
        return split_from_json(self.model_dump())


class ImportedMoveIn(RequestModel):
    """A move of the label history; without a version, the label's removal.

    Releases that did not mark rollbacks export no `rollback`; theirs are recognized by the default reason.
    """

    label: Name
    version: Number | None
    split: ImportedSplitIn | None = None
    previous: Number | None
    actor: Actor
    reason: Reason = ""
    at: Timestamp
    rollback: bool | None = None

    @model_validator(mode="after")
    def _has_a_version_with_a_split(self) -> Self:
        if self.version is None and self.split is not None:
            raise ValueError("a split has the version of its first arm in `version`")
        return self

    def to_domain(self) -> NewLabelMove:
        """Return the domain value; this server assigns its id and revision."""
        target = None
        if self.version is not None:
            target = LabelTarget(self.version, self.split.to_domain() if self.split else None)
        rollback = self.reason == OLD_ROLLBACK_REASON if self.rollback is None else self.rollback
        return NewLabelMove(self.label, target, self.previous, self.actor, self.reason, self.at, rollback)


class ImportedArchivalIn(RequestModel):
    """The time when a prompt was archived or restored."""

    archived: bool
    reason: Reason = ""
    at: Timestamp

    def to_domain(self) -> Archival:
        """Return the domain value."""
        return Archival(self.archived, self.reason, self.at)


class ImportedHistory(RequestModel):
    """The label moves and archivals of a prompt, the oldest first."""

    history: Annotated[list[ImportedMoveIn], Field(max_length=10_000)] = Field(default_factory=list)
    archivals: Annotated[list[ImportedArchivalIn], Field(max_length=10_000)] = Field(default_factory=list)

    def to_history(self) -> PromptHistory:
        """Return the domain value."""
        moves = [move.to_domain() for move in self.history]
        return PromptHistory(moves, [archival.to_domain() for archival in self.archivals], self._naming())

    def _naming(self) -> ImportedNaming:
        return ImportedNaming()


class ImportedNamingIn(RequestModel):
    """The name of a prompt in another registry's SDK, and the prompt's own tags."""

    given_name: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    prompt_tags: Annotated[list[NonEmptyText], Field(max_length=50)] | None = None

    def to_domain(self) -> ImportedNaming:
        """Return the domain value."""
        return ImportedNaming(self.given_name, None if self.prompt_tags is None else tuple(self.prompt_tags))


class ImportPrompt(ImportedHistory):
    """Versions of a prompt with its label moves and archivals; `naming` has at most one element."""

    naming: Annotated[list[ImportedNamingIn], Field(max_length=1)] = Field(default_factory=list)
    versions: Annotated[list[ImportedVersionIn], Field(max_length=10_000)] = Field(default_factory=list)
    erased: Annotated[list[ErasedVersionIn], Field(max_length=10_000)] = Field(default_factory=list)

    def _naming(self) -> ImportedNaming:
        return self.naming[0].to_domain() if self.naming else ImportedNaming()

    def sorted_versions(self) -> list[ImportedVersion]:
        """Return the versions, the lowest number first.

        Raises:
            InvalidRequest: for a number that occurs twice.
        """
        sent: list[ImportedVersionIn | ErasedVersionIn] = [*self.versions, *self.erased]
        if len({version.version for version in sent}) != len(sent):
            raise InvalidRequest("the versions cannot be imported", [FieldError("versions", "has a number twice")])
        return sorted((version.to_domain() for version in sent), key=lambda version: version.number)


class PreviewImport(ImportedHistory):
    """The digests of a prompt's versions by number, with its label moves and archivals."""

    digests: Annotated[dict[str, Digest], Field(max_length=20_000)]

    def digests_by_number(self) -> dict[int, str]:
        """Return the digests by number.

        Raises:
            InvalidRequest: for a key that is not a number.
        """
        invalid = [key for key in self.digests if not (key.isascii() and key.isdigit() and len(key) < 10 and key[0] != "0")]
        if invalid:
            field_errors = [FieldError(f"digests.{key}", "is not the number of a version") for key in invalid]
            raise InvalidRequest("the versions cannot be imported", field_errors)
        return {int(key): digest for key, digest in self.digests.items()}


class UnresolvedIncludeOut(ResponseModel):
    """An include that is unknown here; the version has its text nevertheless."""

    version: int
    reference: str
    name: str
    pinned: int


class ImportedMoveOut(ResponseModel):
    """An imported move."""

    label: str
    version: int | None
    at: datetime


class ImportOut(ResponseModel):
    """What an import did, or would do."""

    name: str
    newest: int
    versions: list[int]
    moves: list[ImportedMoveOut]
    archivals: int
    unpinned: list[UnresolvedIncludeOut]

    @classmethod
    def of(cls, name: str, result: ImportResult) -> Self:
        """Build the wire model from the domain value."""
        return cls(
            name=name,
            newest=result.newest,
            versions=list(result.versions),
            moves=[ImportedMoveOut.model_validate(move) for move in result.moves],
            archivals=len(result.archivals),
            unpinned=[
                UnresolvedIncludeOut(version=number, reference=include.reference, name=include.name, pinned=include.version)
                for number, include in result.unpinned
            ],
        )
