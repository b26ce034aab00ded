"""Queries of labels and their history: a session in, domain values out.

A removed label has no row; in its history the removal is a move to no target, which is stored as version 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case
from sqlmodel import Session, col, delete, func, select

from promptuary.access.identity import shown_name
from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.store import PromptRecord
from promptuary.registry.tables import LabelMoveRow, LabelRow, PromptRow

OLD_ROLLBACK_REASON = "rolled back"
"""The default reason of a rollback, by which those of releases that did not mark them are recognized."""
_REMOVED = 0


@dataclass(frozen=True)
class LabelTarget:
    """What a label points at: one version, or the arms of a split, the first of which has `version`."""

    version: int
    split: Split | None = None

    @property
    def versions(self) -> set[int]:
        """The numbers of all versions that it points at."""
        return {arm.version for arm in self.split.arms} if self.split else {self.version}


@dataclass(frozen=True)
class Label:
    """What a label points at, and since which revision."""

    name: str
    target: LabelTarget
    revision: int
    moved_at: datetime

    @property
    def tag(self) -> str:
        """The entity tag, with its quotes; every move changes it."""
        return f'"{self.revision}"'

    @property
    def version(self) -> int:
        """The version that it points at; of a split, the first arm's."""
        return self.target.version

    @property
    def split(self) -> Split | None:
        """The split; None for a label that points at one version."""
        return self.target.split


@dataclass(frozen=True)
class NewLabelMove:
    """A move to store in a label's history; storing it assigns its id and its revision.

    Attributes:
        label: the label.
        target: what it points at from now on; None for its removal.
        previous: the version that it pointed at; None where it did not exist.
        actor: the identity of who moved it; in a move that was read, the name that people see.
        reason: why.
        at: when.
        rollback: whether it returns to an earlier target, so that the next rollback goes further back.
    """

    label: str
    target: LabelTarget | None
    previous: int | None
    actor: str
    reason: str
    at: datetime
    rollback: bool = False

    @property
    def version(self) -> int | None:
        """The version that it points at; of a split, the first arm's; None for a removal."""
        return self.target.version if self.target else None

    @property
    def split(self) -> Split | None:
        """The split; None for a label that points at one version, or at none."""
        return self.target.split if self.target else None

    def event_detail(self) -> dict[str, Any]:
        """Return the detail of the move's event, which is also its audit entry."""
        split = self.split.as_json() if self.split else None
        detail = {
            "label": self.label,
            "version": None if split else self.version,
            "split": split,
            "previous": self.previous,
            "reason": self.reason,
        }
        return detail | {"rollback": True} if self.rollback else detail


@dataclass(frozen=True)
class LabelMove(NewLabelMove):
    """One entry of a label's history; `actor_id` is what the row contains."""

    id: int = 0
    revision: int = 0
    actor_id: str = ""


def find_label(session: Session, prompt: PromptRecord, name: str, *, lock: bool = False) -> Label | None:
    """Return a label; with `lock`, no other writer moves it until this transaction ends."""
    query = select(LabelRow).where(LabelRow.prompt_id == prompt.id, LabelRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return Label(row.name, _label_target(row), row.revision, row.moved_at) if row else None


def set_label(session: Session, prompt: PromptRecord, move: NewLabelMove, revision: int) -> None:
    """Change what a label points at, and add the move to its history, under a revision."""
    assert move.target is not None
    version, split = move.target.version, move.target.split.as_json() if move.target.split else None
    session.merge(
        LabelRow(prompt_id=prompt.id, name=move.label, version=version, split=split, revision=revision, moved_at=move.at)
    )
    _add_move(session, prompt, move, revision)


def remove_label(session: Session, prompt: PromptRecord, move: NewLabelMove, revision: int) -> None:
    """Remove a label, and add its removal to its history, under a revision."""
    session.exec(delete(LabelRow).where(col(LabelRow.prompt_id) == prompt.id, col(LabelRow.name) == move.label))
    _add_move(session, prompt, move, revision)


def _add_move(session: Session, prompt: PromptRecord, move: NewLabelMove, revision: int) -> None:
    session.add(
        LabelMoveRow(
            prompt_id=prompt.id,
            label=move.label,
            version=_REMOVED if move.target is None else move.target.version,
            split=move.split.as_json() if move.split else None,
            previous=move.previous,
            actor=move.actor,
            reason=move.reason,
            revision=revision,
            at=move.at,
            rollback=move.rollback,
        )
    )
    session.flush()


def list_moves(session: Session, prompt: PromptRecord, label: str, before: int | None, limit: int) -> list[LabelMove]:
    """Return a page of a label's history, the newest move first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    query = query.order_by(col(LabelMoveRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(LabelMoveRow.id) < before)
    return [_move(session, row) for row in session.exec(query)]


def walk_moves(session: Session, prompt: PromptRecord, label: str) -> Iterator[LabelMove]:
    """Yield a label's history, the newest move first; it is read in batches."""
    before: int | None = None
    while batch := list_moves(session, prompt, label, before, 100):
        yield from batch
        before = batch[-1].id


def all_moves(session: Session, prompt: PromptRecord) -> list[LabelMove]:
    """Return every move of every label of a prompt, the oldest first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id).order_by(col(LabelMoveRow.id))
    return [_move(session, row) for row in session.exec(query)]


def target_history(session: Session, prompt: PromptRecord, label: str) -> list[tuple[datetime, LabelTarget | None]]:
    """Return since when a label pointed at what, the oldest first; None where it was removed."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    return [(row.at, _move_target(row)) for row in session.exec(query.order_by(col(LabelMoveRow.id)))]


def targets_at(session: Session, prompt: PromptRecord, at: datetime) -> dict[str, LabelTarget]:
    """Return what every label pointed at, at a time in the past; a label that was removed by then is left out."""
    last = select(func.max(LabelMoveRow.id)).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.at <= at)
    query = select(LabelMoveRow).where(col(LabelMoveRow.id).in_(last.group_by(LabelMoveRow.label))).order_by(LabelMoveRow.label)
    targets = {row.label: _move_target(row) for row in session.exec(query)}
    return {label: target for label, target in targets.items() if target is not None}


def _label_target(row: LabelRow | LabelMoveRow) -> LabelTarget:
    return LabelTarget(row.version, split_from_json(row.split) if row.split is not None else None)


def _move_target(row: LabelMoveRow) -> LabelTarget | None:
    return None if row.version == _REMOVED else _label_target(row)


def _move(session: Session, row: LabelMoveRow) -> LabelMove:
    return LabelMove(
        label=row.label,
        target=_move_target(row),
        previous=row.previous,
        actor=shown_name(session, row.actor),
        actor_id=row.actor,
        reason=row.reason,
        at=row.at,
        rollback=row.reason == OLD_ROLLBACK_REASON if row.rollback is None else row.rollback,
        id=row.id or 0,
        revision=row.revision,
    )


def count_moves(session: Session, since: datetime) -> list[tuple[int, int, int, int]]:
    """Return how often labels were moved to a version, moved back and removed since a time, by the ids of projects."""
    removed = case((col(LabelMoveRow.version) == 0, 1), else_=0)
    back = case((and_(col(LabelMoveRow.version) != 0, col(LabelMoveRow.rollback).is_(True)), 1), else_=0)
    query = select(PromptRow.project_id, func.count(), func.sum(back), func.sum(removed))
    query = query.join(PromptRow, col(PromptRow.id) == LabelMoveRow.prompt_id).where(LabelMoveRow.at >= since)
    rows = session.exec(query.group_by(col(PromptRow.project_id)).order_by(col(PromptRow.project_id)))
    return [(project, count - back - removed, back, removed) for project, count, back, removed in rows]
