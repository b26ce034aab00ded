"""Queries of prompt vectors: a session in, domain values out. Every query is scoped by the project."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, tuple_
from sqlmodel import Session, col, delete, func, select, update

from promptuary.registry.store import active_prompts
from promptuary.search.tables import PromptIndexRow, PromptVectorRow


@dataclass(frozen=True)
class PromptVector:
    """A prompt's vector: of which version, of which texts (`digest`), by which model."""

    prompt: int
    version: int
    digest: str
    model: str
    vector: bytes


def index_uid(session: Session, project: int, model: str) -> str | None:
    """Return the name of the index collection with a project's prompts; None before its first vector."""
    row = session.get(PromptIndexRow, (project, model))
    return row.uid if row else None


def ensure_index_uid(session: Session, project: int, model: str, uid: str) -> None:
    """Name a project's index collection unless it has a name; the caller has locked the project."""
    if session.get(PromptIndexRow, (project, model)) is None:
        session.add(PromptIndexRow(project_id=project, model=model, uid=uid))


def replace_index_uid(session: Session, project: int, model: str, uid: str) -> str | None:
    """Name a new, empty index collection for a project, and mark all its vectors as not indexed.

    Return the name of the collection that it replaces; None where there was none. The caller has locked the project.
    """
    row = session.get(PromptIndexRow, (project, model))
    old_uid = row.uid if row else None
    if row is not None:
        row.uid = uid
        session.add(row)
    prompts = col(PromptVectorRow.prompt_id).in_(_active_ids(project))
    session.exec(update(PromptVectorRow).where(prompts).values(indexed=False))
    return old_uid


def prompts_without_vector(
    session: Session, project: int, model: str, limit: int, *, first: int | None = None, leave_out: int | None = None
) -> dict[int, int]:
    """Return prompts whose newest version has no vector, each with the number of that version.

    Args:
        session: where to read.
        project: whose prompts.
        model: the embedding model.
        limit: the maximum number of prompts.
        first: this prompt comes first; the others in the order of their last change, the newest first.
        leave_out: this prompt is not returned.
    """
    prompts = active_prompts(project)
    query = select(prompts.c.id, prompts.c.newest).outerjoin(PromptVectorRow, _is_current(prompts, model))
    query = query.where(col(PromptVectorRow.prompt_id).is_(None))
    if leave_out is not None:
        query = query.where(prompts.c.id != leave_out)
    rows = session.exec(query.order_by(prompts.c.id != first, prompts.c.revision.desc(), prompts.c.id).limit(limit))
    return {int(prompt): int(number) for prompt, number in rows}


def count_pending(session: Session, project: int, model: str, *, indexed: bool, leave_out: int | None = None) -> int:
    """Count the prompts whose newest version has no vector; with `indexed`, also those with a vector not sent to the index."""
    prompts = active_prompts(project)
    current = _is_current(prompts, model)
    query = select(func.count()).select_from(prompts)
    query = query.outerjoin(PromptVectorRow, and_(current, col(PromptVectorRow.indexed)) if indexed else current)
    if leave_out is not None:
        query = query.where(prompts.c.id != leave_out)
    return session.exec(query.where(col(PromptVectorRow.prompt_id).is_(None))).one()


def prompt_vectors(session: Session, project: int, model: str, prompts: Sequence[int]) -> dict[int, PromptVector]:
    """Return the vectors of the given prompts, by prompt; archived prompts and other projects' are left out."""
    query = _select_vectors(project, model).where(col(PromptVectorRow.prompt_id).in_(prompts))
    return {row.prompt_id: _prompt_vector(row) for row in session.exec(query)}


def put_prompt_vectors(session: Session, vectors: Sequence[PromptVector]) -> None:
    """Store vectors, each in place of one of an older version; the caller has locked the project."""
    for vector in vectors:
        row = session.get(PromptVectorRow, vector.prompt)
        if row is None or row.version <= vector.version or row.model != vector.model:
            values = {name: value for name, value in vars(vector).items() if name != "prompt"}
            session.merge(PromptVectorRow(prompt_id=vector.prompt, indexed=False, **values))


def delete_vectors(session: Session, prompt: int, version: int) -> int:
    """Delete the vector of a prompt if it was computed from a version; return how many there were."""
    vector = delete(PromptVectorRow).where(col(PromptVectorRow.prompt_id) == prompt, col(PromptVectorRow.version) == version)
    return len(session.execute(vector.returning(col(PromptVectorRow.prompt_id))).all())


def unindexed_vectors(session: Session, project: int, model: str, limit: int) -> list[PromptVector]:
    """Return vectors that were not sent to the index."""
    query = _select_vectors(project, model).where(~col(PromptVectorRow.indexed)).limit(limit)
    return [_prompt_vector(row) for row in session.exec(query)]


def count_indexed(session: Session, project: int, model: str) -> int:
    """Count the vectors that were sent to the index; it may have more, of prompts that are archived by now."""
    prompts = col(PromptVectorRow.prompt_id).in_(_active_ids(project))
    query = select(func.count()).select_from(PromptVectorRow).where(prompts, PromptVectorRow.model == model)
    return session.exec(query.where(col(PromptVectorRow.indexed))).one()


def mark_indexed(session: Session, vectors: Sequence[PromptVector]) -> None:
    """Mark vectors as indexed; a row that has changed since it was read is marked as not indexed, to be sent again."""
    row = PromptVectorRow
    unchanged = tuple_(col(row.prompt_id), col(row.version), col(row.digest)).in_(
        [(vector.prompt, vector.version, vector.digest) for vector in vectors]
    )
    prompts = col(row.prompt_id).in_([vector.prompt for vector in vectors])
    session.exec(update(row).where(prompts).values(indexed=unchanged))


def walk_prompt_vectors(session: Session, uid: str, batch: int = 1000) -> Iterator[list[PromptVector]]:
    """Yield all vectors of an index collection of prompts in batches, in the order of the prompts' ids."""
    index = session.exec(select(PromptIndexRow).where(PromptIndexRow.uid == uid)).one_or_none()
    last = 0
    while index is not None:
        query = _select_vectors(index.project_id, index.model).where(PromptVectorRow.prompt_id > last)
        rows = session.exec(query.order_by(col(PromptVectorRow.prompt_id)).limit(batch)).all()
        if not rows:
            return
        yield [_prompt_vector(row) for row in rows]
        last = rows[-1].prompt_id
        session.expunge_all()


def _is_current(prompts: Subquery, model: str) -> ColumnElement[bool]:
    row = PromptVectorRow
    return and_(col(row.prompt_id) == prompts.c.id, col(row.version) == prompts.c.newest, col(row.model) == model)


def _select_vectors(project: int, model: str) -> Any:
    prompts = col(PromptVectorRow.prompt_id).in_(_active_ids(project))
    return select(PromptVectorRow).where(prompts, PromptVectorRow.model == model)


def _active_ids(project: int) -> Any:
    return select(active_prompts(project).c.id)


def _prompt_vector(row: PromptVectorRow) -> PromptVector:
    return PromptVector(row.prompt_id, row.version, row.digest, row.model, row.vector)
