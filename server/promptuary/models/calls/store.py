"""Queries of answers that are kept and of the money of runs: a session in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, col, select

from promptuary.core.database import table_of
from promptuary.evaluation.tables import ResponseRow, RunRow


@dataclass(frozen=True)
class PendingWrites:
    """What calls leave to be written with the next results.

    Attributes:
        answers: to be kept, by their keys.
        spent: what was settled since the last time, in US dollars.
        rest: what is reserved and will not be used.
    """

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    spent: float = 0.0
    rest: float = 0.0

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.answers or self.spent or self.rest)


def cached_responses(session: Session, project: int, keys: Sequence[str], since: datetime | None) -> dict[str, dict[str, Any]]:
    """Give the answers that are kept under keys, by their keys; none that is older than `since`."""
    query = select(ResponseRow.key, ResponseRow.body).where(ResponseRow.project_id == project, col(ResponseRow.key).in_(keys))
    if since is not None:
        query = query.where(ResponseRow.created_at >= since)
    return {key: dict(body) for key, body in session.exec(query)}


def delete_responses(session: Session, project: int, before: datetime) -> int:
    """Delete the answers of a project that were given before a moment, and give their number."""
    old = delete(ResponseRow).where(col(ResponseRow.project_id) == project, col(ResponseRow.created_at) < before)
    return len(session.execute(old.returning(col(ResponseRow.key))).all())


def write(session: Session, project: int, run: str, fence: int, due: PendingWrites, at: datetime) -> None:
    """Keep answers, over older ones of the same keys, and move what was settled from reserved to spent.

    The money of a run is written by whoever holds its lease, or held it last: under the fence, also when the run is over.
    """
    if due.answers:
        table = table_of(ResponseRow)
        new = (postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert)(table)
        kept = new.on_conflict_do_update(
            index_elements=["project_id", "key"], set_={"body": new.excluded.body, "created_at": new.excluded.created_at}
        )
        # In the order of their keys, so that two writers do not wait for each other.
        rows = [
            {"project_id": project, "key": key, "body": body, "created_at": at} for key, body in sorted(due.answers.items())
        ]
        session.connection().execute(kept, rows)
    if due.spent or due.rest:
        left = col(RunRow.reserved) - (due.spent + due.rest)
        held = update(RunRow).where(col(RunRow.id) == run, col(RunRow.fence) == fence)
        session.execute(held.values(spent=RunRow.spent + due.spent, reserved=case((left > 1e-12, left), else_=0.0)))


def reserve(session: Session, run: str, fence: int, amount: float, ceiling: float) -> bool:
    """Reserve an amount of a run whose lease is held; False where it would pass the ceiling, or the lease is another's."""
    fits = col(RunRow.spent) + col(RunRow.reserved) + amount <= ceiling
    held = update(RunRow).where(col(RunRow.id) == run, col(RunRow.fence) == fence, col(RunRow.state) == "running", fits)
    taken = session.execute(held.values(reserved=RunRow.reserved + amount).returning(col(RunRow.id)))
    return taken.scalar_one_or_none() is not None
