"""Queries of the registry: a session in, domain values out. Every query is scoped by the project."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select, update

from promptuary.base.errors import Conflict
from promptuary.registry.tables import LabelMoveRow, LabelRow, PromptRow, VersionRow


@dataclass(frozen=True)
class Prompt:
    """A prompt: how many versions it has, and in which revision of the project it last changed."""

    id: int
    name: str
    newest: int
    revision: int
    created_at: datetime
    labels: dict[str, int]


@dataclass(frozen=True)
class Version:
    """A version and the labels that point at it now."""

    prompt: str
    number: int
    digest: str
    content: dict[str, Any]
    message: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """Where a label points, and since which revision."""

    name: str
    version: int
    revision: int
    moved_at: datetime


@dataclass(frozen=True)
class Move:
    """One row of a label's ledger."""

    id: int
    label: str
    version: int
    previous: int | None
    actor: str
    reason: str
    revision: int
    at: datetime


def prompt(session: Session, project: int, name: str, *, lock: bool = False) -> Prompt | None:
    """Find a prompt; with `lock`, no other writer touches it until this transaction ends."""
    query = select(PromptRow).where(PromptRow.project_id == project, PromptRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return _prompts(session, [row])[0] if row else None


def prompts(
    session: Session, project: int, search: str | None, label: str | None, after: str | None, limit: int
) -> list[Prompt]:
    """List prompts by name: those whose name holds `search`, those that have the label."""
    query = select(PromptRow).where(PromptRow.project_id == project).order_by(PromptRow.name).limit(limit)
    if after is not None:
        query = query.where(PromptRow.name > after)
    if search:
        query = query.where(col(PromptRow.name).contains(search.lower(), autoescape=True))  # names are lower-case
    if label:
        query = query.where(col(PromptRow.id).in_(select(LabelRow.prompt_id).where(LabelRow.name == label)))
    return _prompts(session, session.exec(query).all())


def _prompts(session: Session, rows: Iterable[PromptRow]) -> list[Prompt]:
    rows = list(rows)
    labels: dict[int, dict[str, int]] = {}
    held = select(LabelRow).where(col(LabelRow.prompt_id).in_([row.id for row in rows])).order_by(LabelRow.name)
    for label in session.exec(held):
        labels.setdefault(label.prompt_id, {})[label.name] = label.version
    return [
        Prompt(row.id or 0, row.name, row.newest, row.revision, row.created_at, labels.get(row.id or 0, {})) for row in rows
    ]


def add_prompt(session: Session, project: int, name: str, at: datetime) -> Prompt:
    """Add a prompt that has no version yet."""
    row = PromptRow(project_id=project, name=name, created_at=at)
    session.add(row)
    session.flush()
    return Prompt(row.id or 0, name, 0, 0, at, {})


def touch(session: Session, prompt: int, revision: int) -> None:
    """Say in which revision a prompt last changed."""
    session.exec(update(PromptRow).where(col(PromptRow.id) == prompt).values(revision=revision))


def add_version(
    session: Session,
    prompt: Prompt,
    digest: str,
    content: str,
    message: str,
    tags: tuple[str, ...],
    author: str,
    at: datetime,
) -> int:
    """Add a version under the next number, which the same transaction counts up: no gap, no number twice."""
    counted = update(PromptRow).where(col(PromptRow.id) == prompt.id).values(newest=PromptRow.newest + 1)
    number = session.execute(counted.returning(col(PromptRow.newest))).scalar_one()
    session.add(
        VersionRow(
            prompt_id=prompt.id,
            number=number,
            digest=digest,
            content=content,
            message=message,
            tags=list(tags),
            author=author,
            created_at=at,
        )
    )
    session.flush()
    return int(number)


def version(session: Session, prompt: Prompt, number: int) -> Version | None:
    """Find one version of a prompt.

    Raises:
        Conflict: when the stored content is no longer what its digest says.
    """
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id, VersionRow.number == number)
    row = session.exec(query).one_or_none()
    return _version(prompt, row) if row else None


def versions(session: Session, prompt: Prompt, before: int | None, limit: int) -> list[Version]:
    """List versions, the newest first."""
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id).order_by(col(VersionRow.number).desc()).limit(limit)
    if before is not None:
        query = query.where(VersionRow.number < before)
    return [_version(prompt, row) for row in session.exec(query)]


def _version(prompt: Prompt, row: VersionRow) -> Version:
    if "sha256:" + hashlib.sha256(row.content.encode()).hexdigest() != row.digest:
        raise Conflict(f"version {row.number} of '{prompt.name}' was changed in the database; restore it from a backup")
    return Version(
        prompt=prompt.name,
        number=row.number,
        digest=row.digest,
        content=json.loads(row.content),
        message=row.message,
        tags=tuple(row.tags),
        author=row.author,
        created_at=row.created_at,
        labels=tuple(name for name, number in prompt.labels.items() if number == row.number),
    )


def label(session: Session, prompt: Prompt, name: str) -> Label | None:
    """Find where a label points; no other writer moves it until this transaction ends."""
    query = select(LabelRow).where(LabelRow.prompt_id == prompt.id, LabelRow.name == name).with_for_update()
    row = session.exec(query).one_or_none()
    return Label(row.name, row.version, row.revision, row.moved_at) if row else None


def set_label(session: Session, prompt: Prompt, name: str, move: Move) -> Label:
    """Point a label at a version, and write the move into the ledger."""
    session.merge(LabelRow(prompt_id=prompt.id, name=name, version=move.version, revision=move.revision, moved_at=move.at))
    session.add(LabelMoveRow(prompt_id=prompt.id, **{key: value for key, value in vars(move).items() if key != "id"}))
    session.flush()
    return Label(name, move.version, move.revision, move.at)


def version_before(session: Session, prompt: Prompt, label: str) -> int | None:
    """Give the version that a label pointed at before the last move that led elsewhere; None where there was no such move."""
    query = select(LabelMoveRow.previous).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    query = query.where(LabelMoveRow.previous != LabelMoveRow.version).order_by(col(LabelMoveRow.id).desc()).limit(1)
    return session.exec(query).one_or_none()


def moves(session: Session, prompt: Prompt, label: str, before: int | None, limit: int) -> list[Move]:
    """List a label's ledger, the newest move first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    query = query.order_by(col(LabelMoveRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(LabelMoveRow.id) < before)
    return [
        Move(row.id or 0, row.label, row.version, row.previous, row.actor, row.reason, row.revision, row.at)
        for row in session.exec(query)
    ]
