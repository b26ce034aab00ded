"""Queries of labels, their ledger, and events: a session in, domain values out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert
from sqlmodel import Session, col, func, select, update

from promptuary.access.store import next_revision
from promptuary.core.database import table_of
from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.events import EventKind, PromptEvent
from promptuary.registry.store import Prompt
from promptuary.registry.tables import EventRow, LabelMoveRow, LabelRow, PromptRow

_PROMPT = table_of(PromptRow)
_NEW_EVENT = insert(table_of(EventRow))
_CHANGED = update(_PROMPT).where(_PROMPT.c.id == bindparam("prompt")).values(revision=bindparam("to"))


@dataclass(frozen=True)
class LabelTarget:
    """Where a label points: at one version, or at the arms of a split, whose first arm's version is then `version`."""

    version: int
    split: Split | None = None


@dataclass(frozen=True)
class Label:
    """Where a label points, and since which revision."""

    name: str
    target: LabelTarget
    revision: int
    moved_at: datetime

    @property
    def version(self) -> int:
        """The version that it points at; a split's first arm's."""
        return self.target.version

    @property
    def split(self) -> Split | None:
        """The arms, where it is split."""
        return self.target.split


@dataclass(frozen=True)
class LabelMove:
    """One row of a label's ledger."""

    id: int
    label: str
    target: LabelTarget
    previous: int | None
    actor: str
    reason: str
    revision: int
    at: datetime

    @property
    def version(self) -> int:
        """The version that it points at; a split's first arm's."""
        return self.target.version

    @property
    def split(self) -> Split | None:
        """The arms, where it is split."""
        return self.target.split


def label(session: Session, prompt: Prompt, name: str, *, lock: bool = False) -> Label | None:
    """Find where a label points; with `lock`, no other writer moves it until this transaction ends."""
    query = select(LabelRow).where(LabelRow.prompt_id == prompt.id, LabelRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return Label(row.name, _target(row), row.revision, row.moved_at) if row else None


def set_label(session: Session, prompt: Prompt, move: LabelMove) -> Label:
    """Point a label where the move says, and write the move into the ledger."""
    version, split = move.target.version, move.target.split.as_json() if move.target.split else None
    session.merge(
        LabelRow(prompt_id=prompt.id, name=move.label, version=version, split=split, revision=move.revision, moved_at=move.at)
    )
    session.add(
        LabelMoveRow(
            prompt_id=prompt.id,
            label=move.label,
            version=version,
            split=split,
            previous=move.previous,
            actor=move.actor,
            reason=move.reason,
            revision=move.revision,
            at=move.at,
        )
    )
    session.flush()
    return Label(move.label, move.target, move.revision, move.at)


def moves(session: Session, prompt: Prompt, label: str, before: int | None, limit: int) -> list[LabelMove]:
    """List a label's ledger, the newest move first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    query = query.order_by(col(LabelMoveRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(LabelMoveRow.id) < before)
    return [_move(row) for row in session.exec(query)]


def walk_moves(session: Session, prompt: Prompt, label: str) -> Iterator[LabelMove]:
    """Go through a label's ledger, the newest move first, in batches."""
    before: int | None = None
    while batch := moves(session, prompt, label, before, 100):
        yield from batch
        before = batch[-1].id


def all_moves(session: Session, prompt: Prompt) -> list[LabelMove]:
    """List every move of every label of a prompt, the oldest first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id).order_by(col(LabelMoveRow.id))
    return [_move(row) for row in session.exec(query)]


def targets_at(session: Session, prompt: Prompt, at: datetime) -> dict[str, LabelTarget]:
    """Give where every label pointed at a moment."""
    last = select(func.max(LabelMoveRow.id)).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.at <= at)
    query = select(LabelMoveRow).where(col(LabelMoveRow.id).in_(last.group_by(LabelMoveRow.label))).order_by(LabelMoveRow.label)
    return {row.label: _target(row) for row in session.exec(query)}


def add_event(session: Session, project: int, prompt: int, kind: EventKind, detail: dict[str, Any], at: datetime) -> int:
    """Write an event under the project's next revision, which becomes the prompt's, too; holds the project's row."""
    revision = next_revision(session, project)
    connection = session.connection()
    event = {"project_id": project, "revision": revision, "kind": kind, "prompt_id": prompt, "detail": detail, "at": at}
    connection.execute(_NEW_EVENT, event)
    connection.execute(_CHANGED, {"prompt": prompt, "to": revision})
    return revision


def events(session: Session, project: int, after: int, limit: int) -> list[PromptEvent]:
    """List a project's events after a revision, in their order."""
    query = select(EventRow, PromptRow.name).join(PromptRow, col(PromptRow.id) == EventRow.prompt_id)
    query = query.where(EventRow.project_id == project, EventRow.revision > after).order_by(col(EventRow.revision))
    return [
        PromptEvent(row.revision, EventKind(row.kind), name, row.detail, row.at)
        for row, name in session.exec(query.limit(limit))
    ]


def changed_since(session: Session, project: int, after: int) -> dict[str, int]:
    """Give the prompts that have had an event after a revision, each with the revision of its last."""
    query = select(PromptRow.name, func.max(EventRow.revision)).join(PromptRow, col(PromptRow.id) == EventRow.prompt_id)
    query = query.where(EventRow.project_id == project, EventRow.revision > after).group_by(PromptRow.name)
    return dict(session.exec(query).all())


def events_of(
    session: Session, prompt: Prompt, before: int | None, limit: int | None, kinds: Sequence[EventKind] = tuple(EventKind)
) -> list[PromptEvent]:
    """List a prompt's events of certain kinds, the newest first."""
    query = select(EventRow).where(EventRow.prompt_id == prompt.id, col(EventRow.kind).in_(kinds))
    if before is not None:
        query = query.where(EventRow.revision < before)
    rows = session.exec(query.order_by(col(EventRow.revision).desc()).limit(limit))
    return [PromptEvent(row.revision, EventKind(row.kind), prompt.name, row.detail, row.at) for row in rows]


def last_event(
    session: Session, prompt: Prompt, at: datetime, kinds: Sequence[EventKind] = tuple(EventKind)
) -> PromptEvent | None:
    """Give the last event of a prompt, of certain kinds, that had happened by a moment."""
    query = select(EventRow).where(EventRow.prompt_id == prompt.id, EventRow.at <= at, col(EventRow.kind).in_(kinds))
    row = session.exec(query.order_by(col(EventRow.revision).desc()).limit(1)).one_or_none()
    return PromptEvent(row.revision, EventKind(row.kind), prompt.name, row.detail, row.at) if row else None


def _target(row: LabelRow | LabelMoveRow) -> LabelTarget:
    return LabelTarget(row.version, split_from_json(row.split) if row.split is not None else None)


def _move(row: LabelMoveRow) -> LabelMove:
    return LabelMove(row.id or 0, row.label, _target(row), row.previous, row.actor, row.reason, row.revision, row.at)
