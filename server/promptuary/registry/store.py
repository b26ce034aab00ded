"""Queries of prompts and versions: a session in, domain values out. Every query is scoped by the project."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Subquery, bindparam, insert, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, delete, func, select, update

from promptuary.core.database import table_of
from promptuary.core.errors import Conflict
from promptuary.prompt.split import Split, split_from_json
from promptuary.registry.tables import IncludeRow, LabelRow, PromptRow, TagRow, VersionRow

_PROMPT, _VERSION = table_of(PromptRow), table_of(VersionRow)
_NEWEST_DIGEST = select(_VERSION.c.digest).where(
    _VERSION.c.prompt_id == bindparam("prompt"), _VERSION.c.number == bindparam("number")
)
_NEXT_NUMBER = (
    update(_PROMPT).where(_PROMPT.c.id == bindparam("prompt")).values(newest=_PROMPT.c.newest + 1).returning(_PROMPT.c.newest)
)
_NEW_VERSION = insert(_VERSION).returning(_VERSION.c.id)


@dataclass(frozen=True)
class Prompt:
    """A prompt: how many versions it has, in which revision of the project it last changed, and where its labels point.

    A split label is in `labels` with its first arm's version, and in `splits` whole.
    """

    id: int
    name: str
    newest: int
    revision: int
    created_at: datetime
    archived_at: datetime | None = None
    labels: dict[str, int] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def labels_of(self, number: int) -> tuple[str, ...]:
        """Name the labels that lead to a version, alone or as an arm."""
        arms = {name: {arm.version for arm in split.arms} for name, split in self.splits.items()}
        return tuple(name for name, first in self.labels.items() if number in arms.get(name, {first}))


@dataclass(frozen=True)
class Include:
    """A reference in a version's templates, and the version (`id` is the database's own) to which it is pinned."""

    id: int
    reference: str
    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class Version:
    """A version and the labels that point at it now; `id` is the database's own."""

    id: int
    prompt: str
    number: int
    digest: str
    content: dict[str, Any]
    message: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    labels: tuple[str, ...]
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class Dependent:
    """A version that is in use, being a newest one or labelled, and includes a version of the prompt that was asked about."""

    prompt: str
    version: int
    reference: str
    pinned: int


def prompt(session: Session, project: int, name: str, *, lock: bool = False) -> Prompt | None:
    """Find a prompt; with `lock`, no other writer touches it until this transaction ends."""
    query = select(PromptRow).where(PromptRow.project_id == project, PromptRow.name == name)
    query = query.execution_options(populate_existing=True)  # its counters are counted up past the session's objects
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return _prompts(session, [row])[0] if row else None


def prompts(
    session: Session,
    project: int,
    after: str | None,
    limit: int,
    *,
    search: str | None = None,
    label: str | None = None,
    tag: str | None = None,
    archived: bool = False,
) -> list[Prompt]:
    """List prompts by name: those whose name holds `search`, that have the label, whose newest version has the tag."""
    query = select(PromptRow).where(PromptRow.project_id == project).order_by(PromptRow.name).limit(limit)
    in_state = col(PromptRow.archived_at)
    query = query.where(in_state.is_not(None) if archived else in_state.is_(None))
    if after is not None:
        query = query.where(PromptRow.name > after)
    if search:
        query = query.where(col(PromptRow.name).contains(search.lower(), autoescape=True))  # names are lower-case
    if label:
        query = query.where(col(PromptRow.id).in_(select(LabelRow.prompt_id).where(LabelRow.name == label)))
    if tag:
        query = query.where(col(PromptRow.id).in_(select(TagRow.prompt_id).where(TagRow.tag == tag)))
    return _prompts(session, session.exec(query).all())


def _prompts(session: Session, rows: Iterable[PromptRow]) -> list[Prompt]:
    rows = list(rows)
    ids = [row.id for row in rows]
    labels: dict[int, dict[str, int]] = {}
    splits: dict[int, dict[str, Split]] = {}
    for label in session.exec(select(LabelRow).where(col(LabelRow.prompt_id).in_(ids)).order_by(LabelRow.name)):
        labels.setdefault(label.prompt_id, {})[label.name] = label.version
        if label.split is not None:
            splits.setdefault(label.prompt_id, {})[label.name] = split_from_json(label.split)
    tags: dict[int, list[str]] = {}
    for tag in session.exec(select(TagRow).where(col(TagRow.prompt_id).in_(ids)).order_by(TagRow.tag)):
        tags.setdefault(tag.prompt_id, []).append(tag.tag)
    return [
        Prompt(
            id=row.id or 0,
            name=row.name,
            newest=row.newest,
            revision=row.revision,
            created_at=row.created_at,
            archived_at=row.archived_at,
            labels=labels.get(row.id or 0, {}),
            splits=splits.get(row.id or 0, {}),
            tags=tuple(tags.get(row.id or 0, ())),
        )
        for row in rows
    ]


def add_prompt(session: Session, project: int, name: str, at: datetime) -> Prompt:
    """Add a prompt that has no version yet."""
    row = PromptRow(project_id=project, name=name, created_at=at)
    session.add(row)
    session.flush()
    return Prompt(row.id or 0, name, 0, 0, at)


def set_archived(session: Session, prompt: Prompt, at: datetime | None) -> None:
    """Mark a prompt archived since a moment, or not at all."""
    session.exec(update(PromptRow).where(col(PromptRow.id) == prompt.id).values(archived_at=at))


def newest_digest(session: Session, prompt: Prompt) -> str | None:
    """Give the digest of a prompt's newest version; None where it has none."""
    asked = {"prompt": prompt.id, "number": prompt.newest}
    found = session.connection().execute(_NEWEST_DIGEST, asked).scalar_one_or_none()
    return None if found is None else str(found)


def add_version(
    session: Session,
    prompt: Prompt,
    digest: str,
    content: str,
    message: str,
    tags: tuple[str, ...],
    author: str,
    at: datetime,
    includes: Sequence[Include] = (),
) -> Version:
    """Add a version under the next number, which the same transaction counts up: no gap, no number twice."""
    connection = session.connection()
    number = int(connection.execute(_NEXT_NUMBER, {"prompt": prompt.id}).scalar_one())
    new = {
        "prompt_id": prompt.id,
        "number": number,
        "digest": digest,
        "content": content,
        "message": message,
        "tags": list(tags),
        "author": author,
        "created_at": at,
    }
    id_ = int(connection.execute(_NEW_VERSION, new).scalar_one())
    if includes:
        pins = [{"version_id": id_, "reference": include.reference, "included_id": include.id} for include in includes]
        session.execute(insert(IncludeRow), pins)
    if set(tags) != set(prompt.tags):
        session.execute(delete(TagRow).where(col(TagRow.prompt_id) == prompt.id))
        session.add_all(TagRow(prompt_id=prompt.id, tag=tag) for tag in set(tags))
    return Version(
        id=id_,
        prompt=prompt.name,
        number=number,
        digest=digest,
        content=json.loads(content),
        message=message,
        tags=tags,
        author=author,
        created_at=at,
        labels=(),
        includes=tuple(includes),
    )


def version(session: Session, prompt: Prompt, number: int) -> Version | None:
    """Find one version of a prompt.

    Raises:
        Conflict: when the stored content is no longer what its digest says.
    """
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id, VersionRow.number == number)
    found = _versions(session, prompt, session.exec(query).all())
    return found[0] if found else None


def versions(session: Session, prompt: Prompt, before: int | None, limit: int) -> list[Version]:
    """List versions, the newest first."""
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id).order_by(col(VersionRow.number).desc()).limit(limit)
    if before is not None:
        query = query.where(VersionRow.number < before)
    return _versions(session, prompt, session.exec(query).all())


def labelled(session: Session, prompts: Sequence[Prompt], label: str) -> dict[int, Version]:
    """Give the version that a label points at, or its first arm, by the prompt's id; one that was tampered with is left out."""
    query = select(VersionRow).join(LabelRow, col(LabelRow.prompt_id) == VersionRow.prompt_id)
    query = query.where(LabelRow.name == label, LabelRow.version == VersionRow.number)
    rows = session.exec(query.where(col(LabelRow.prompt_id).in_([prompt.id for prompt in prompts]))).all()
    includes = includes_of(session, [row.id or 0 for row in rows])
    owners = {prompt.id: prompt for prompt in prompts}
    found: dict[int, Version] = {}
    for row in rows:
        with suppress(Conflict):
            found[row.prompt_id] = _version(owners[row.prompt_id], row, includes.get(row.id or 0, ()))
    return found


def digests(session: Session, prompt: Prompt, first: int, last: int) -> dict[int, str]:
    """Give the digests of a range of versions, both ends in it."""
    query = select(VersionRow.number, VersionRow.digest).where(VersionRow.prompt_id == prompt.id)
    return dict(session.exec(query.where(VersionRow.number >= first, VersionRow.number <= last)).all())


def newest_at(session: Session, prompt: Prompt, at: datetime) -> int | None:
    """Give the number of the version that was the newest at a moment; None before the first."""
    query = select(VersionRow.number).where(VersionRow.prompt_id == prompt.id, VersionRow.created_at <= at)
    return session.exec(query.order_by(col(VersionRow.number).desc()).limit(1)).one_or_none()


def _versions(session: Session, prompt: Prompt, rows: Sequence[VersionRow]) -> list[Version]:
    includes = includes_of(session, [row.id or 0 for row in rows])
    return [_version(prompt, row, includes.get(row.id or 0, ())) for row in rows]


def _version(prompt: Prompt, row: VersionRow, includes: Sequence[Include]) -> Version:
    if "sha256:" + hashlib.sha256(row.content.encode()).hexdigest() != row.digest:
        raise Conflict(f"version {row.number} of '{prompt.name}' was changed in the database; restore it from a backup")
    return Version(
        id=row.id or 0,
        prompt=prompt.name,
        number=row.number,
        digest=row.digest,
        content=json.loads(row.content),
        message=row.message,
        tags=tuple(row.tags),
        author=row.author,
        created_at=row.created_at,
        labels=prompt.labels_of(row.number),
        includes=tuple(includes),
    )


def includes_of(session: Session, versions: Sequence[int]) -> dict[int, list[Include]]:
    """Give what each of the versions (by their own ids) includes, by reference."""
    query = select(IncludeRow, PromptRow.name, VersionRow.number, VersionRow.digest)
    query = query.join(VersionRow, col(VersionRow.id) == IncludeRow.included_id)
    query = query.join(PromptRow, col(PromptRow.id) == VersionRow.prompt_id)
    query = query.where(col(IncludeRow.version_id).in_(versions)).order_by(col(IncludeRow.reference))
    found: dict[int, list[Include]] = {}
    for row, name, number, digest in session.exec(query):
        found.setdefault(row.version_id, []).append(Include(row.included_id, row.reference, name, number, digest))
    return found


def dependents(session: Session, prompt: Prompt) -> list[Dependent]:
    """List what includes a version of the prompt and is in use, by name, number and reference."""
    included = aliased(VersionRow)
    query = select(IncludeRow.reference, included.number, VersionRow.number, PromptRow)
    query = query.join(included, col(included.id) == IncludeRow.included_id).where(included.prompt_id == prompt.id)
    query = query.join(VersionRow, col(VersionRow.id) == IncludeRow.version_id)
    query = query.join(PromptRow, col(PromptRow.id) == VersionRow.prompt_id).where(col(PromptRow.archived_at).is_(None))
    query = query.order_by(PromptRow.name, col(VersionRow.number), col(IncludeRow.reference))
    rows = session.exec(query).all()
    owners = {owner.id: owner for owner in _prompts(session, {row.id: row for *_, row in rows}.values())}
    return [
        Dependent(row.name, number, reference, pinned)
        for reference, pinned, number, row in rows
        if number == row.newest or owners[row.id or 0].labels_of(number)
    ]


def active_prompts(project: int) -> Subquery:
    """Give a project's prompts that are not archived, as `id`, `newest` and `revision`: what parts above join their rows to."""
    query = select(col(PromptRow.id), col(PromptRow.newest), col(PromptRow.revision))
    return query.where(PromptRow.project_id == project, col(PromptRow.archived_at).is_(None)).subquery("heads")


def versions_by_prompt(session: Session, project: int, numbers: Mapping[int, int]) -> dict[int, Version]:
    """Give one version each of some prompts in use, without what it includes; one that was tampered with is left out.

    Args:
        session: where to look.
        project: whose prompts they are.
        numbers: for each prompt's id the version's number.
    """
    pairs = tuple_(col(VersionRow.prompt_id), col(VersionRow.number)).in_(list(numbers.items()))
    query = select(PromptRow, VersionRow).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id).where(pairs)
    rows = session.exec(query.where(PromptRow.project_id == project, col(PromptRow.archived_at).is_(None))).all()
    found: dict[int, Version] = {}
    for prompt, (_, row) in zip(_prompts(session, [prompt for prompt, _ in rows]), rows, strict=True):
        with suppress(Conflict):
            found[prompt.id] = _version(prompt, row, ())
    return found


def prompts_with_digest(session: Session, project: int, digest: str, name: str, limit: int) -> list[tuple[str, int]]:
    """Give the other prompts that have a version of this digest, by name, each with its last such version."""
    query = select(PromptRow.name, func.max(VersionRow.number)).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id)
    query = query.where(VersionRow.digest == digest, PromptRow.project_id == project, PromptRow.name != name)
    query = query.where(col(PromptRow.archived_at).is_(None)).group_by(PromptRow.name).order_by(PromptRow.name).limit(limit)
    return [(other, int(number)) for other, number in session.exec(query)]
