"""Queries of versions and of what they include: a session in, domain values out."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, insert, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select, update

from promptuary.access.contents import TrackedContent, track_content
from promptuary.access.identity import shown_name
from promptuary.core.clock import format_timestamp
from promptuary.core.database import table_of
from promptuary.core.errors import Conflict, Erased
from promptuary.prompt.content import Content
from promptuary.prompt.digest import EncodedContent, content_json_digest
from promptuary.prompt.errors import Invalid
from promptuary.registry import tag_store
from promptuary.registry.store import PromptRecord, load_prompts
from promptuary.registry.tables import IncludeRow, LabelRow, PromptRow, VersionRow
from promptuary.registry.text_search.word_store import store_words

_PROMPT, _VERSION = table_of(PromptRow), table_of(VersionRow)
_NEWEST_DIGEST = select(_VERSION.c.digest).where(
    _VERSION.c.prompt_id == bindparam("prompt"),
    _VERSION.c.number == bindparam("number"),
    _VERSION.c.erased_at.is_(None),
)
_NEXT_NUMBER = (
    update(_PROMPT).where(_PROMPT.c.id == bindparam("prompt")).values(newest=_PROMPT.c.newest + 1).returning(_PROMPT.c.newest)
)
_NEW_VERSION = insert(_VERSION).returning(_VERSION.c.id)


@dataclass(frozen=True)
class Include:
    """A reference in a version's templates, and the version to which it is pinned; `id` is the database's own."""

    id: int
    reference: str
    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class Version:
    """A version, and the labels that point at it now; `id` is the database's own.

    `tags` are the version's, `prompt_tags` and `given_name` its prompt's. `author` is the name that people see, `author_id`
    what the row contains. One that was erased has the time of that, and an empty content.
    """

    id: int
    prompt: str
    number: int
    digest: str
    stored_content: TrackedContent[dict[str, Any]]
    message: str
    tags: tuple[str, ...]
    author: str
    author_id: str
    created_at: datetime
    labels: tuple[str, ...]
    includes: tuple[Include, ...] = ()
    is_newest: bool = False
    given_name: str | None = None
    prompt_tags: tuple[str, ...] = ()
    erased_at: datetime | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The content as JSON; reading it is noted in the transaction, see `promptuary.access.contents`."""
        return self.stored_content.read()


@dataclass(frozen=True)
class VersionRecord:
    """A version to store; its number is assigned by the database. `author` is an identity."""

    content: EncodedContent
    message: str
    tags: tuple[str, ...]
    author: str
    created_at: datetime
    includes: tuple[Include, ...] = ()
    erased_at: datetime | None = None


@dataclass(frozen=True)
class Dependent:
    """A version in use (a newest or a labelled one) that includes a version of another prompt."""

    prompt: str
    version: int
    reference: str
    pinned: int


def newest_digest(session: Session, prompt: PromptRecord) -> str | None:
    """Return the digest of a prompt's newest version; None without a version, and for one that was erased."""
    parameters = {"prompt": prompt.id, "number": prompt.newest}
    digest = session.connection().execute(_NEWEST_DIGEST, parameters).scalar_one_or_none()
    return None if digest is None else str(digest)


def add_version(session: Session, prompt: PromptRecord, record: VersionRecord) -> Version:
    """Add a version under the next number, which the same transaction increments: no gap, no number twice."""
    connection = session.connection()
    number = int(connection.execute(_NEXT_NUMBER, {"prompt": prompt.id}).scalar_one())
    row = {
        "prompt_id": prompt.id,
        "number": number,
        "digest": record.content.digest,
        "content": record.content.json,
        "message": record.message,
        "tags": list(record.tags),
        "author": record.author,
        "created_at": record.created_at,
        "erased_at": record.erased_at,
    }
    version_id = int(connection.execute(_NEW_VERSION, row).scalar_one())
    if record.includes:
        pins = [
            {"version_id": version_id, "reference": include.reference, "included_id": include.id} for include in record.includes
        ]
        session.execute(insert(IncludeRow), pins)
    prompt = tag_store.index_tags(session, prompt, record.tags)
    content = json.loads(record.content.json) if record.erased_at is None else {}
    store_words(session, prompt.id, prompt.name, content)
    return Version(
        id=version_id,
        prompt=prompt.name,
        number=number,
        digest=record.content.digest,
        stored_content=track_content(session, content, prompt.name, number),
        message=record.message,
        tags=record.tags,
        author=shown_name(session, record.author),
        author_id=record.author,
        created_at=record.created_at,
        labels=(),
        includes=record.includes,
        is_newest=True,
        given_name=prompt.given_name,
        prompt_tags=prompt.prompt_tags,
        erased_at=record.erased_at,
    )


def find_version(session: Session, prompt: PromptRecord, number: int) -> Version | None:
    """Return one version of a prompt, perhaps an erased one.

    Raises:
        Conflict: when the stored content does not have the stored digest.
    """
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id, VersionRow.number == number)
    versions = _versions(session, prompt, session.exec(query).all())
    return versions[0] if versions else None


def refuse_erased(version: Version) -> None:
    """Check that a version has its content.

    Raises:
        Erased: with the time of the erasure.
    """
    if version.erased_at is not None:
        raise Erased(
            f"the content of version {version.number} of '{version.prompt}' was erased at "
            f"{format_timestamp(version.erased_at)}; its number, digest and history stay"
        )


def numbers_by_digest(session: Session, prompt: PromptRecord, prefix: str) -> dict[str, int]:
    """Return the digests of a prompt that begin with a text, each with the number of its newest version with a content.

    A digest whose versions were all erased has the number of one of these.
    """
    with_content = case((col(VersionRow.erased_at).is_(None), VersionRow.number), else_=-col(VersionRow.number))
    query = select(VersionRow.digest, func.max(with_content)).where(VersionRow.prompt_id == prompt.id)
    query = query.where(col(VersionRow.digest).startswith(prefix, autoescape=True)).group_by(VersionRow.digest).limit(2)
    return {digest: abs(int(number)) for digest, number in session.exec(query)}


def number_of_digest(session: Session, prompt: int, digest: str) -> int | None:
    """Return the number of the newest version of a prompt, by its id, that has a digest; None for none."""
    query = select(func.max(VersionRow.number)).where(VersionRow.prompt_id == prompt, VersionRow.digest == digest)
    return session.exec(query).one()


def sensitive_variables(session: Session, prompt: int, number: int) -> frozenset[str] | None:
    """Return the variables that a version of a prompt, by its id, declares as sensitive; None where it has no content."""
    query = select(VersionRow.content).where(VersionRow.prompt_id == prompt, VersionRow.number == number)
    content = session.exec(query).one_or_none()
    if not content:
        return None
    declared = json.loads(content).get("variables") or {}
    return frozenset(name for name, variable in declared.items() if variable.get("sensitive"))


def newest_sensitive_variables(session: Session, prompt: int) -> frozenset[str] | None:
    """Return what `sensitive_variables` does for the newest version of a prompt, by its id."""
    newest = session.exec(select(func.max(VersionRow.number)).where(VersionRow.prompt_id == prompt)).one()
    return sensitive_variables(session, prompt, newest or 0)


def list_versions(session: Session, prompt: PromptRecord, before: int | None, limit: int) -> list[Version]:
    """Return a page of versions, the newest first."""
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id).order_by(col(VersionRow.number).desc()).limit(limit)
    if before is not None:
        query = query.where(VersionRow.number < before)
    return _versions(session, prompt, session.exec(query).all())


def labelled_versions(session: Session, prompts: Sequence[PromptRecord], label: str) -> dict[int, Version]:
    """Return the version that a label points at (of a split, in its first arm), by the prompt's id.

    A version that was erased, or changed in the database, is left out.
    """
    query = select(VersionRow).join(LabelRow, col(LabelRow.prompt_id) == VersionRow.prompt_id)
    query = query.where(LabelRow.name == label, LabelRow.version == VersionRow.number, col(VersionRow.erased_at).is_(None))
    rows = session.exec(query.where(col(LabelRow.prompt_id).in_([prompt.id for prompt in prompts]))).all()
    ids = [row.id or 0 for row in rows]
    includes, tags = includes_of(session, ids), tag_store.changed_tags(session, ids)
    owners = {prompt.id: prompt for prompt in prompts}
    versions: dict[int, Version] = {}
    for row in rows:
        with suppress(Conflict):
            version = _version(session, owners[row.prompt_id], row, includes.get(row.id or 0, ()))
            versions[row.prompt_id] = replace(version, tags=tags.get(version.id, version.tags))
    return versions


def versions_by_prompt(session: Session, project: int, numbers: Mapping[int, int]) -> dict[int, Version]:
    """Return one version each of some active prompts, without its includes.

    A version that was erased, or changed in the database, is left out.

    Args:
        session: where to read.
        project: the project of the prompts.
        numbers: the number of the version, by the prompt's id.
    """
    pairs = tuple_(col(VersionRow.prompt_id), col(VersionRow.number)).in_(list(numbers.items()))
    query = select(PromptRow, VersionRow).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id).where(pairs)
    query = query.where(col(VersionRow.erased_at).is_(None))
    rows = session.exec(query.where(PromptRow.project_id == project, col(PromptRow.archived_at).is_(None))).all()
    versions: dict[int, Version] = {}
    for prompt, (_, row) in zip(load_prompts(session, [prompt for prompt, _ in rows]), rows, strict=True):
        with suppress(Conflict):
            versions[prompt.id] = _version(session, prompt, row, ())
    return versions


def version_digests(session: Session, prompt: PromptRecord, first: int, last: int) -> dict[int, str]:
    """Return the digests of a range of versions by number, both ends included."""
    query = select(VersionRow.number, VersionRow.digest).where(VersionRow.prompt_id == prompt.id)
    return dict(session.exec(query.where(VersionRow.number >= first, VersionRow.number <= last)).all())


def newest_at(session: Session, prompt: PromptRecord, at: datetime) -> int | None:
    """Return the number of the version that was the newest at a time; None before the first."""
    query = select(VersionRow.number).where(VersionRow.prompt_id == prompt.id, VersionRow.created_at <= at)
    return session.exec(query.order_by(col(VersionRow.number).desc()).limit(1)).one_or_none()


def prompts_with_digest(session: Session, project: int, digest: str, name: str, limit: int) -> list[tuple[str, int]]:
    """Return the other active prompts that have a version of this digest, by name, each with its last such version."""
    query = select(PromptRow.name, func.max(VersionRow.number)).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id)
    query = query.where(VersionRow.digest == digest, PromptRow.project_id == project, PromptRow.name != name)
    query = (
        query.where(col(PromptRow.archived_at).is_(None), col(VersionRow.erased_at).is_(None))
        .group_by(PromptRow.name)
        .order_by(PromptRow.name)
        .limit(limit)
    )
    return [(other, int(number)) for other, number in session.exec(query)]


def includes_of(session: Session, versions: Sequence[int]) -> dict[int, list[Include]]:
    """Return the includes of some versions by the versions' ids, ordered by reference."""
    query = select(IncludeRow, PromptRow.name, VersionRow.number, VersionRow.digest)
    query = query.join(VersionRow, col(VersionRow.id) == IncludeRow.included_id)
    query = query.join(PromptRow, col(PromptRow.id) == VersionRow.prompt_id)
    query = query.where(col(IncludeRow.version_id).in_(versions)).order_by(col(IncludeRow.reference))
    includes: dict[int, list[Include]] = {}
    for row, name, number, digest in session.exec(query):
        includes.setdefault(row.version_id, []).append(Include(row.included_id, row.reference, name, number, digest))
    return includes


def list_dependents(session: Session, prompt: PromptRecord) -> list[Dependent]:
    """Return the versions in use that include a version of the prompt, ordered by name, number and reference."""
    included = aliased(VersionRow)
    query = select(IncludeRow.reference, included.number, VersionRow.number, PromptRow)
    query = query.join(included, col(included.id) == IncludeRow.included_id).where(included.prompt_id == prompt.id)
    query = query.join(VersionRow, col(VersionRow.id) == IncludeRow.version_id)
    query = query.join(PromptRow, col(PromptRow.id) == VersionRow.prompt_id).where(col(PromptRow.archived_at).is_(None))
    query = query.order_by(PromptRow.name, col(VersionRow.number), col(IncludeRow.reference))
    rows = session.exec(query).all()
    owners = {owner.id: owner for owner in load_prompts(session, {row.id: row for *_, row in rows}.values())}
    return [
        Dependent(row.name, number, reference, pinned)
        for reference, pinned, number, row in rows
        if number == row.newest or owners[row.id or 0].labels_of(number)
    ]


def including_versions(session: Session, project: int, included: Sequence[int]) -> list[tuple[PromptRecord, Version]]:
    """Return the versions of a project that include some versions directly, with their prompts, archived ones too."""
    query = select(PromptRow, VersionRow).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id)
    including = select(IncludeRow.version_id).where(col(IncludeRow.included_id).in_(included))
    query = query.where(PromptRow.project_id == project, col(VersionRow.id).in_(including))
    rows = session.exec(query.order_by(PromptRow.name, col(VersionRow.number))).all()
    owners = {prompt.id: prompt for prompt in load_prompts(session, {row.id: row for row, _ in rows}.values())}
    return [(owners[prompt.id or 0], _stored_version(session, owners[prompt.id or 0], row)) for prompt, row in rows]


def find_stored_version(session: Session, prompt: PromptRecord, number: int) -> Version | None:
    """Return one version without its includes, also where its content was changed in the database, for its erasure."""
    query = select(VersionRow).where(VersionRow.prompt_id == prompt.id, VersionRow.number == number)
    row = session.exec(query).one_or_none()
    return _stored_version(session, prompt, row) if row else None


def version_id(session: Session, prompt: PromptRecord, number: int) -> int:
    """Return the database's id of an existing version."""
    return session.exec(select(VersionRow.id).where(VersionRow.prompt_id == prompt.id, VersionRow.number == number)).one() or 0


def erase_version(session: Session, version: int, at: datetime) -> None:
    """Clear the content of a version; the triggers of the table permit this one change, once."""
    session.exec(update(VersionRow).where(col(VersionRow.id) == version).values(content="", erased_at=at))


def versions_with_digests(session: Session, project: int, digests: Sequence[str]) -> list[str]:
    """Return the versions of a project with one of the digests that are not erased, as `prompt@number`."""
    query = select(PromptRow.name, VersionRow.number).join(VersionRow, col(VersionRow.prompt_id) == PromptRow.id)
    query = query.where(PromptRow.project_id == project, col(VersionRow.digest).in_(digests))
    query = query.where(col(VersionRow.erased_at).is_(None)).order_by(PromptRow.name, col(VersionRow.number))
    return [f"{name}@{number}" for name, number in session.exec(query)]


def erased_numbers(session: Session, prompt: PromptRecord) -> set[int]:
    """Return the numbers of a prompt's erased versions."""
    query = select(VersionRow.number).where(VersionRow.prompt_id == prompt.id, col(VersionRow.erased_at).is_not(None))
    return set(session.exec(query))


def _stored_version(session: Session, prompt: PromptRecord, row: VersionRow) -> Version:
    return Version(
        id=row.id or 0,
        prompt=prompt.name,
        number=row.number,
        digest=row.digest,
        stored_content=track_content(session, _intact_content(row.content, row.digest) or {}, prompt.name, row.number),
        message=row.message,
        tags=tuple(row.tags),
        author=shown_name(session, row.author),
        author_id=row.author,
        created_at=row.created_at,
        labels=prompt.labels_of(row.number),
        erased_at=row.erased_at,
    )


def _versions(session: Session, prompt: PromptRecord, rows: Sequence[VersionRow]) -> list[Version]:
    ids = [row.id or 0 for row in rows]
    includes, tags = includes_of(session, ids), tag_store.changed_tags(session, ids)
    versions = [_version(session, prompt, row, includes.get(row.id or 0, ())) for row in rows]
    return [replace(version, tags=tags.get(version.id, version.tags)) for version in versions]


def _version(session: Session, prompt: PromptRecord, row: VersionRow, includes: Sequence[Include]) -> Version:
    content = {} if row.erased_at is not None else _intact_content(row.content, row.digest)
    if content is None:
        raise Conflict(f"version {row.number} of '{prompt.name}' was changed in the database; restore it from a backup")
    return Version(
        id=row.id or 0,
        prompt=prompt.name,
        number=row.number,
        digest=row.digest,
        stored_content=track_content(session, content, prompt.name, row.number),
        message=row.message,
        tags=tuple(row.tags),
        author=shown_name(session, row.author),
        author_id=row.author,
        created_at=row.created_at,
        labels=prompt.labels_of(row.number),
        includes=tuple(includes),
        is_newest=row.number == prompt.newest,
        given_name=prompt.given_name,
        prompt_tags=prompt.prompt_tags,
        erased_at=row.erased_at,
    )


def _intact_content(stored: str, digest: str) -> dict[str, Any] | None:
    """Parse a stored content; return None where it does not have its digest.

    The digest is computed again, because the stored text is as it was sent, and not in the canonical form.
    """
    try:
        content: dict[str, Any] = dict.fromkeys(Content.model_fields) | json.loads(stored)
        return content if content_json_digest(content) == digest else None
    except (ValueError, TypeError, Invalid):
        return None
