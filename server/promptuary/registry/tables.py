"""The registry's tables; private to this folder. Versions and label moves are append-only: triggers refuse changes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class PromptRow(SQLModel, table=True):
    """A prompt's name, and the number its next version takes.

    `given_name` is the name under which another registry's SDK created it. `tags` are the prompt's own; None until they are
    first set.
    """

    __tablename__ = "prompt"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        Index("ix_prompt_given_name", "project_id", "given_name", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    newest: int = 0
    revision: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    archived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    given_name: str | None = None
    tags: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class VersionRow(SQLModel, table=True):
    """A version: its content as JSON as it was sent, and the digest of its canonical form.

    Before 0.4.0 the content was stored in the canonical form. An erased version has the time of the erasure and an empty text.
    """

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("prompt_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    prompt_id: int = Field(foreign_key="prompt.id")
    number: int
    digest: str = Field(index=True)
    content: str = Field(sa_column=Column(Text, nullable=False))
    message: str = ""
    tags: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    author: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    erased_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LabelRow(SQLModel, table=True):
    """What a label points at now. A split label has its arms in `split`, and the first arm's version in `version`."""

    __tablename__ = "label"

    prompt_id: int = Field(foreign_key="prompt.id", primary_key=True)
    name: str = Field(primary_key=True)
    version: int
    split: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    revision: int
    moved_at: datetime = Field(sa_type=UtcDateTime)


class LabelMoveRow(SQLModel, table=True):
    """One move of a label; from this history, `label` can be computed again.

    A removal has version 0. `rollback` is null in rows of releases that did not mark rollbacks.
    """

    __tablename__ = "label_move"

    id: int | None = Field(default=None, primary_key=True)
    prompt_id: int = Field(foreign_key="prompt.id", index=True)
    label: str
    version: int
    split: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    previous: int | None
    actor: str
    reason: str
    revision: int
    at: datetime = Field(sa_type=UtcDateTime)
    rollback: bool | None = None


class EventRow(SQLModel, table=True):
    """An event of a prompt, under its revision of the project; the stream sends it, and other processes read it."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("project_id", "revision"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    revision: int
    kind: str
    prompt_id: int = Field(foreign_key="prompt.id", index=True)
    detail: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)


class IncludeRow(SQLModel, table=True):
    """A reference to another prompt in a version's templates, and the version of that prompt to which it is pinned."""

    __tablename__ = "version_include"

    version_id: int = Field(foreign_key="version.id", primary_key=True)
    reference: str = Field(primary_key=True)
    included_id: int = Field(foreign_key="version.id", index=True)


class VersionTagsRow(SQLModel, table=True):
    """The tags of a version since they were first changed; without a row, those that it was registered with."""

    __tablename__ = "version_tags"

    version_id: int = Field(foreign_key="version.id", primary_key=True)
    tags: list[Any] = Field(sa_column=Column(JSON, nullable=False))


class TagRow(SQLModel, table=True):
    """A tag of a prompt or of its newest version, by which lists find the prompt."""

    __tablename__ = "prompt_tag"

    prompt_id: int = Field(foreign_key="prompt.id", primary_key=True)
    tag: str = Field(primary_key=True, index=True)
