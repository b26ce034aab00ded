"""What the routes of an import take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, ShortText
from promptuary.prompt.content import Content
from promptuary.prompt.name import Name
from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.imports.history import Archival, ImportedInclude, ImportedVersion, ImportResult
from promptuary.registry.label_store import LabelMove, LabelTarget
from promptuary.registry.schemas import Number

Reason = Annotated[str, Field(max_length=2000)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Actor = Annotated[str, StringConstraints(min_length=1, max_length=500)]


def _written(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a moment as a text, as 2026-03-02T12:00:00Z")
    return value


Timestamp = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)]


class ImportedIncludeIn(RequestModel):
    """What a reference in a version was pinned to."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    name: Name
    version: Number
    digest: Digest


class ImportedVersionIn(Content):
    """A version as another server answers it, without what only that server knows."""

    version: Number
    digest: Digest
    message: ShortText = ""
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    author: Actor
    created_at: Timestamp
    includes: Annotated[list[ImportedIncludeIn], Field(max_length=1000)] = Field(default_factory=list)

    def past(self) -> ImportedVersion:
        """Give the domain's value."""
        return ImportedVersion(
            number=self.version,
            digest=self.digest,
            content=Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields}),
            message=self.message,
            tags=tuple(self.tags),
            author=self.author,
            created_at=self.created_at,
            includes=tuple(ImportedInclude(pin.reference, pin.name, pin.version, pin.digest) for pin in self.includes),
        )


class ImportedArmIn(RequestModel):
    """An arm of a split, with the buckets that it owned."""

    version: Number
    weight: float
    buckets: Annotated[list[Annotated[list[int], Field(min_length=2, max_length=2)]], Field(max_length=10_000)]


class ImportedSplitIn(RequestModel):
    """A split as it was."""

    salt: Annotated[str, StringConstraints(max_length=300)]
    arms: Annotated[list[ImportedArmIn], Field(min_length=2, max_length=16)]

    def split(self) -> Split:
        """Give the domain's value.

        Raises:
            InvalidSplit: when its arms do not own every bucket once.
        """
        return split_from_json(self.model_dump())


class ImportedMoveIn(RequestModel):
    """A move of a label as it was."""

    label: Name
    version: Number
    split: ImportedSplitIn | None = None
    previous: Number | None
    actor: Actor
    reason: Reason = ""
    at: Timestamp

    def move(self) -> LabelMove:
        """Give the domain's value; its id and revision are this server's to give."""
        target = LabelTarget(self.version, self.split.split() if self.split else None)
        return LabelMove(0, self.label, target, self.previous, self.actor, self.reason, 0, self.at)


class ImportedArchivalIn(RequestModel):
    """A prompt was archived, or restored."""

    archived: bool
    reason: Reason = ""
    at: Timestamp

    def archival(self) -> Archival:
        """Give the domain's value."""
        return Archival(self.archived, self.reason, self.at)


class ImportedHistory(RequestModel):
    """What versions leave behind: labels' moves and archivals, the oldest first."""

    history: Annotated[list[ImportedMoveIn], Field(max_length=10_000)] = Field(default_factory=list)
    archivals: Annotated[list[ImportedArchivalIn], Field(max_length=10_000)] = Field(default_factory=list)

    def moves(self) -> list[LabelMove]:
        """Give the moves."""
        return [move.move() for move in self.history]

    def turns(self) -> list[Archival]:
        """Give the archivals."""
        return [turn.archival() for turn in self.archivals]


class ImportPrompt(ImportedHistory):
    """Versions of a prompt, lowest number first, and what they left behind."""

    versions: Annotated[list[ImportedVersionIn], Field(max_length=10_000)] = Field(default_factory=list)

    def past(self) -> list[ImportedVersion]:
        """Give the versions.

        Raises:
            InvalidRequest: for a number that is there twice.
        """
        found = [version.past() for version in self.versions]
        if len({version.number for version in found}) != len(found):
            raise InvalidRequest("the versions cannot be imported", [FieldError("versions", "has a number twice")])
        return sorted(found, key=lambda version: version.number)


class PreviewImport(ImportedHistory):
    """The numbers and digests of a prompt's versions, and what they left behind."""

    digests: Annotated[dict[str, Digest], Field(max_length=20_000)]

    def numbered(self) -> dict[int, str]:
        """Give the digests by number.

        Raises:
            InvalidRequest: for a key that is no number.
        """
        wrong = [key for key in self.digests if not (key.isascii() and key.isdigit() and len(key) < 10 and key[0] != "0")]
        if wrong:
            field_errors = [FieldError(f"digests.{key}", "is no version's number") for key in wrong]
            raise InvalidRequest("the versions cannot be imported", field_errors)
        return {int(key): digest for key, digest in self.digests.items()}


class UnresolvedIncludeOut(ResponseModel):
    """A pin that leads nowhere here; the version has its text all the same."""

    version: int
    reference: str
    name: str
    pinned: int


class ImportedMoveOut(ResponseModel):
    """A move that was taken over."""

    label: str
    version: int
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
    def of(cls, name: str, imported: ImportResult) -> Self:
        """Make it from the domain's value."""
        return cls(
            name=name,
            newest=imported.newest,
            versions=list(imported.versions),
            moves=[ImportedMoveOut.model_validate(move) for move in imported.moves],
            archivals=len(imported.archivals),
            unpinned=[
                UnresolvedIncludeOut(version=number, reference=pin.reference, name=pin.name, pinned=pin.version)
                for number, pin in imported.unpinned
            ],
        )
