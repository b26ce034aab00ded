"""Queries of tags: a session in, domain values out.

A version keeps the tags that it was registered with, and beside them, from their first change on, its current ones. A prompt
has its own tags from their first change on. `prompt_tag` has the tags by which lists find a prompt.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session, col, delete, select, update

from promptuary.registry.store import PromptRecord
from promptuary.registry.tables import PromptRow, TagRow, VersionRow, VersionTagsRow

INDEXED_LENGTH = 200
"""Characters of the longest tag by which a list finds a prompt; a filter takes no longer one."""


def changed_tags(session: Session, versions: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the current tags of those of some versions whose tags were changed, by the versions' ids."""
    query = select(VersionTagsRow).where(col(VersionTagsRow.version_id).in_(versions))
    return {row.version_id: tuple(row.tags) for row in session.exec(query)}


def registered_tags(session: Session, version: int) -> tuple[str, ...]:
    """Return the tags that a version was registered with, by its id."""
    return tuple(session.exec(select(VersionRow.tags).where(VersionRow.id == version)).one())


def set_version_tags(session: Session, version: int, tags: Sequence[str]) -> None:
    """Store the current tags of a version, by its id."""
    session.merge(VersionTagsRow(version_id=version, tags=list(tags)))
    session.flush()


def set_prompt_tags(session: Session, prompt: PromptRecord, tags: Sequence[str]) -> PromptRecord:
    """Store a prompt's own tags."""
    session.exec(update(PromptRow).where(col(PromptRow.id) == prompt.id).values(tags=list(tags)))
    return replace(prompt, own_tags=tuple(tags))


def indexed_tags(prompt: PromptRecord, version_tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags by which lists find a prompt: its own, and those of its newest version, which are passed."""
    return tuple(sorted({tag for tag in (*(prompt.own_tags or ()), *version_tags) if len(tag) <= INDEXED_LENGTH}))


def index_tags(session: Session, prompt: PromptRecord, version_tags: Sequence[str]) -> PromptRecord:
    """Store the tags by which lists find a prompt whose newest version has these tags."""
    tags = indexed_tags(prompt, version_tags)
    if tags != tuple(sorted(prompt.tags)):
        session.exec(delete(TagRow).where(col(TagRow.prompt_id) == prompt.id))
        session.add_all(TagRow(prompt_id=prompt.id, tag=tag) for tag in tags)
        session.flush()
    return replace(prompt, tags=tags)
