"""Queries of labels and their history: a session in, domain values out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.store import PromptRecord
from promptuary.registry.tables import LabelMoveRow, LabelRow


@dataclass(frozen=True)
class LabelTarget:
    """What a label points at: one version, or the arms of a split, the first of which has `version`."""

    version: int
    split: Split | None = None


@dataclass(frozen=True)
class Label:
    """What a label points at, and since which revision."""

    name: str
    target: LabelTarget
    revision: int
    moved_at: datetime

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
    """A move to store in a label's history; storing it assigns its id and its revision."""

    label: str
    target: LabelTarget
    previous: int | None
    actor: str
    reason: str
    at: datetime

    @property
    def version(self) -> int:
        """The version that it points at; of a split, the first arm's."""
        return self.target.version

    @property
    def split(self) -> Split | None:
        """The split; None for a label that points at one version."""
        return self.target.split

    def event_detail(self) -> dict[str, Any]:
        """Return the detail of the move's event, which is also its audit entry."""
        split = self.split.as_json() if self.split else None
        return {
            "label": self.label,
            "version": None if split else self.version,
            "split": split,
            "previous": self.previous,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class LabelMove(NewLabelMove):
    """One entry of a label's history."""

    id: int
    revision: int


def find_label(session: Session, prompt: PromptRecord, name: str, *, lock: bool = False) -> Label | None:
    """Return a label; with `lock`, no other writer moves it until this transaction ends."""
    query = select(LabelRow).where(LabelRow.prompt_id == prompt.id, LabelRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return Label(row.name, _target(row), row.revision, row.moved_at) if row else None


def set_label(session: Session, prompt: PromptRecord, move: NewLabelMove, revision: int) -> Label:
    """Change what a label points at, and add the move to its history, under a revision."""
    version, split = move.target.version, move.target.split.as_json() if move.target.split else None
    session.merge(
        LabelRow(prompt_id=prompt.id, name=move.label, version=version, split=split, revision=revision, moved_at=move.at)
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
            revision=revision,
            at=move.at,
        )
    )
    session.flush()
    return Label(move.label, move.target, revision, move.at)


def list_moves(session: Session, prompt: PromptRecord, label: str, before: int | None, limit: int) -> list[LabelMove]:
    """Return a page of a label's history, the newest move first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.label == label)
    query = query.order_by(col(LabelMoveRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(LabelMoveRow.id) < before)
    return [_move(row) for row in session.exec(query)]


def walk_moves(session: Session, prompt: PromptRecord, label: str) -> Iterator[LabelMove]:
    """Yield a label's history, the newest move first; it is read in batches."""
    before: int | None = None
    while batch := list_moves(session, prompt, label, before, 100):
        yield from batch
        before = batch[-1].id


def all_moves(session: Session, prompt: PromptRecord) -> list[LabelMove]:
    """Return every move of every label of a prompt, the oldest first."""
    query = select(LabelMoveRow).where(LabelMoveRow.prompt_id == prompt.id).order_by(col(LabelMoveRow.id))
    return [_move(row) for row in session.exec(query)]


def targets_at(session: Session, prompt: PromptRecord, at: datetime) -> dict[str, LabelTarget]:
    """Return what every label pointed at, at a time in the past."""
    last = select(func.max(LabelMoveRow.id)).where(LabelMoveRow.prompt_id == prompt.id, LabelMoveRow.at <= at)
    query = select(LabelMoveRow).where(col(LabelMoveRow.id).in_(last.group_by(LabelMoveRow.label))).order_by(LabelMoveRow.label)
    return {row.label: _target(row) for row in session.exec(query)}


def _target(row: LabelRow | LabelMoveRow) -> LabelTarget:
    return LabelTarget(row.version, split_from_json(row.split) if row.split is not None else None)


def _move(row: LabelMoveRow) -> LabelMove:
    return LabelMove(row.label, _target(row), row.previous, row.actor, row.reason, row.at, row.id or 0, row.revision)
