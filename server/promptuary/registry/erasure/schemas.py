"""The wire models of an erasure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.registry.erasure.service import Erasure


class EraseVersion(RequestModel):
    """Why a version is erased, and what is accepted with it; see `ErasureRequest`."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]
    labelled: bool = False
    including: bool = False


class ErasedOut(ResponseModel):
    """A version that is erased."""

    name: str
    version: int
    digest: str
    erased_at: datetime


class StorageOut(ResponseModel):
    """Whether the database's files were rewritten without the content, and what is to be done if not."""

    scrubbed: bool
    detail: str


class BackupsOut(ResponseModel):
    """Which backups contain the content: every copy that was made between two times."""

    known: list[str]
    from_: datetime = Field(serialization_alias="from")
    until: datetime
    detail: str


class ErasureOut(ResponseModel):
    """What was erased and removed, and what still contains the content."""

    erased: list[ErasedOut]
    labels: list[str]
    removed: Mapping[str, int]
    same_content: list[str]
    remaining: list[str]
    backups: BackupsOut
    storage: StorageOut

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """Build the wire model of an erasure whose files are not rewritten yet."""
        versions = erasure.versions
        return cls(
            erased=[
                ErasedOut(name=version.prompt, version=version.number, digest=version.digest, erased_at=version.erased_at)
                for version in versions
            ],
            labels=list(erasure.labels),
            removed=erasure.removed,
            same_content=list(erasure.same_content),
            remaining=[*erasure.remaining, *_OUTSIDE],
            backups=BackupsOut(
                known=[],
                from_=min(version.created_at for version in versions),
                until=max(version.erased_at for version in versions),
                detail=_BACKUPS,
            ),
            storage=StorageOut(scrubbed=False, detail="the files are being rewritten; repeat the call to see the result"),
        )


def storage_after(problem: str | None) -> StorageOut:
    """Return the result of rewriting the files; None for success."""
    if problem is None:
        return StorageOut(scrubbed=True, detail=_SCRUBBED)
    detail = f"the database's files may still contain the old pages: {problem}; repeat the call later"
    return StorageOut(scrubbed=False, detail=detail)


_OUTSIDE = (
    "clients have copies in memory and on disk; theirs end when they next ask the server",
    "prompt files, Git and bundles from `promptuary export` are outside this service",
)
_BACKUPS = (
    "this service keeps no list of backups: every backup, replica, write-ahead archive and `promptuary export` that was made "
    "between `from` and `until` contains the content"
)
_SCRUBBED = "SQLite's file was rewritten and its write-ahead log emptied, or PostgreSQL's tables were vacuumed"
