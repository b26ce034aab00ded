"""Queries of projects, the audit chain and stored responses; they take a session and return domain values."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, cast, insert, type_coerce
from sqlalchemy import select as sql_select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select, update

from promptuary.access.contents import ContentReference
from promptuary.access.tables import AuditRow, IdempotencyContentRow, IdempotencyRow, ProjectRow
from promptuary.core.change_feed.revisions import ProjectRevisions, publish_revisions
from promptuary.core.database import table_of

REVISIONS_QUERY = "SELECT id, revision, access_revision FROM project"  # for the change feed
_PROJECT, _AUDIT = table_of(ProjectRow), table_of(AuditRow)
_COUNT = {
    counter: update(_PROJECT)
    .where(_PROJECT.c.id == bindparam("project"))
    .values({counter: _PROJECT.c[counter] + 1})
    .returning(_PROJECT.c.revision, _PROJECT.c.access_revision, _PROJECT.c.audit_sequence)
    for counter in ("revision", "access_revision", "audit_sequence")
}
_DIGEST = select(_AUDIT.c.digest).where(_AUDIT.c.project_id == bindparam("project"), _AUDIT.c.sequence == bindparam("sequence"))
_ENTRY = insert(_AUDIT)
BATCH = 5000
"""The rows of the audit chain that are read at a time."""
_STORED_ENTRIES = (
    sql_select(
        _AUDIT.c.sequence,
        type_coerce(_AUDIT.c.at, Text),
        _AUDIT.c.actor,
        _AUDIT.c.action,
        _AUDIT.c.subject,
        cast(_AUDIT.c.detail, Text),
        _AUDIT.c.previous,
        _AUDIT.c.digest,
    )
    .where(_AUDIT.c.project_id == bindparam("project"), _AUDIT.c.sequence > bindparam("last", type_=BigInteger))
    .order_by(_AUDIT.c.sequence)
    .limit(BATCH)
)


@dataclass(frozen=True)
class Project:
    """A project's id and name."""

    id: int
    name: str
    created_at: datetime


@dataclass(frozen=True)
class AuditEntry:
    """One row of the audit chain."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous: str
    digest: str


class StoredEntry(NamedTuple):
    """One row of the audit chain as the database has it: what someone wrote there may be of any type.

    Attributes:
        at: a text on SQLite, a time on PostgreSQL.
        detail: a JSON text.
    """

    sequence: Any
    at: Any
    actor: Any
    action: Any
    subject: Any
    detail: Any
    previous: Any
    digest: Any


@dataclass(frozen=True)
class StoredResponse:
    """The response to a write, stored for its retries."""

    request_digest: str
    status: int
    body: str
    owner: str | None = None
    etag: str | None = None


def find_project(session: Session, name: str) -> Project | None:
    """Return a project by its name."""
    row = session.exec(select(ProjectRow).where(ProjectRow.name == name)).one_or_none()
    return _project(row) if row else None


def get_project(session: Session, project: int) -> Project | None:
    """Return a project by its id."""
    row = session.get(ProjectRow, project)
    return _project(row) if row else None


def list_projects(session: Session, after: str | None, limit: int) -> list[Project]:
    """List projects by name, at most `limit`."""
    query = select(ProjectRow).order_by(ProjectRow.name).limit(limit)
    if after is not None:
        query = query.where(ProjectRow.name > after)
    return [_project(row) for row in session.exec(query)]


def add_project(session: Session, name: str, at: datetime) -> Project:
    """Add a project."""
    row = ProjectRow(name=name, created_at=at)
    session.add(row)
    session.flush()
    project = _project(row)
    next_access_revision(session, project.id)
    return project


def get_or_create_project(session: Session, name: str, at: datetime) -> Project:
    """Return the project of a name, and create it if there is none; two simultaneous callers get the same project."""
    known = find_project(session, name)
    if known is not None:
        return known
    try:
        with session.begin_nested():
            return add_project(session, name, at)
    except IntegrityError:
        project = find_project(session, name)
        assert project is not None
        return project


def _project(row: ProjectRow) -> Project:
    assert row.id is not None
    return Project(row.id, row.name, row.created_at)


def lock_project(session: Session, project: int) -> None:
    """Lock the project's row against other writers until the transaction ends; SQLite has one writer anyway."""
    if session.get_bind().dialect.name != "sqlite":
        session.exec(select(ProjectRow.id).where(ProjectRow.id == project).with_for_update())


def next_revision(session: Session, project: int) -> int:
    """Increment the project's revision and return it; this locks the project's row until the transaction ends."""
    return _count(session, project, "revision").revision


def next_access_revision(session: Session, project: int) -> int:
    """Increment the project's access revision and return it; this locks the project's row like `next_revision`."""
    return _count(session, project, "access_revision").access_revision


def _count(session: Session, project: int, counter: str) -> ProjectRevisions:
    """Increment a counter and publish it; the row is locked, so revisions are published in the order of the commits."""
    row = session.connection().execute(_COUNT[counter], {"project": project}).one()
    counters = ProjectRevisions(row.revision, row.access_revision)
    publish_revisions(session, project, counters)
    return counters


def read_revisions(session: Session, project: int) -> ProjectRevisions:
    """Return a project's revisions as the session sees them."""
    query = select(ProjectRow.revision, ProjectRow.access_revision).where(ProjectRow.id == project)
    return ProjectRevisions(*session.exec(query).one())


def next_audit_sequence(session: Session, project: int) -> int:
    """Increment the length of the chain and return it; this locks the project's row, so the chain has one end."""
    return int(session.connection().execute(_COUNT["audit_sequence"], {"project": project}).one().audit_sequence)


def get_audit_digest(session: Session, project: int, sequence: int) -> str | None:
    """Return the digest of one row of the chain, None where there is no such row."""
    digest = session.connection().execute(_DIGEST, {"project": project, "sequence": sequence}).scalar_one_or_none()
    return None if digest is None else str(digest)


def add_entry(session: Session, project: int, entry: AuditEntry) -> None:
    """Add a row to the chain at once, so that its failure fails the change that it records."""
    session.connection().execute(_ENTRY, {"project_id": project, **vars(entry)})


def list_entries(session: Session, project: int, after: int | None, limit: int) -> list[AuditEntry]:
    """List the chain in its order."""
    query = select(AuditRow).where(AuditRow.project_id == project).order_by(col(AuditRow.sequence)).limit(limit)
    if after is not None:
        query = query.where(AuditRow.sequence > after)
    return [_entry(row) for row in session.exec(query)]


def iterate_entries(session: Session, project: int) -> Iterator[StoredEntry]:
    """Yield the whole chain in its order, as it is stored; it is read in batches."""
    connection, last = session.connection(), -(2**63)
    while batch := connection.execute(_STORED_ENTRIES, {"project": project, "last": last}).all():
        for row in batch:
            yield StoredEntry(*row)
        last = batch[-1].sequence


def get_audit_sequence(session: Session, project: int) -> int:
    """Return the number of rows that the chain should have."""
    return session.exec(select(ProjectRow.audit_sequence).where(ProjectRow.id == project)).one()


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.sequence, row.at, row.actor, row.action, row.subject, row.detail, row.previous, row.digest)


def find_response(session: Session, project: int, key: str) -> StoredResponse | None:
    """Return the response to the write under an idempotency key, if there is one."""
    row = session.get(IdempotencyRow, (project, key))
    return StoredResponse(row.request_digest, row.status, row.body, row.owner, row.etag) if row else None


def add_response(
    session: Session, project: int, key: str, response: StoredResponse, contents: Collection[ContentReference], at: datetime
) -> None:
    """Store a response; a second writer under the same key fails here, and gets the first writer's response on its retry.

    Args:
        session: the transaction of the write.
        project: the caller's project.
        key: the idempotency key.
        response: the response.
        contents: the versions whose content it can contain.
        at: the time of the write.
    """
    session.add(IdempotencyRow(project_id=project, key=key, created_at=at, **vars(response)))
    session.flush()
    session.add_all(IdempotencyContentRow(project_id=project, key=key, **vars(content)) for content in contents)
    session.flush()


def replace_responses(session: Session, project: int, content: ContentReference, status: int, body: str) -> int:
    """Replace the stored responses that can contain a version's content; return how many."""
    row, content_row = IdempotencyRow, IdempotencyContentRow
    keys = select(content_row.key).where(
        content_row.project_id == project, content_row.prompt == content.prompt, content_row.version == content.version
    )
    change = update(row).where(col(row.project_id) == project, col(row.key).in_(keys)).values(status=status, body=body)
    return _forget_contents(session, project, session.execute(change.returning(col(row.key))).scalars().all())


def replace_unknown_responses(session: Session, project: int, since: datetime, status: int, body: str) -> int:
    """Replace the stored responses since a time of which no release recorded the contents; return how many."""
    row = IdempotencyRow
    unknown = (col(row.project_id) == project, col(row.contents_known).is_(False), col(row.created_at) >= since)
    change = update(row).where(*unknown).values(status=status, body=body, contents_known=True)
    return len(session.execute(change.returning(col(row.key))).all())


def replace_naming_responses(session: Session, project: int, names: Collection[str], status: int, body: str) -> int:
    """Replace the stored responses that have one of some ids in their body; return how many."""
    row = IdempotencyRow
    query = select(row.key, row.body).where(row.project_id == project).execution_options(yield_per=500)
    keys = [key for key, stored in session.exec(query) if any(name in stored for name in names)]
    for first in range(0, len(keys), 400):
        part = keys[first : first + 400]
        change = update(row).where(col(row.project_id) == project, col(row.key).in_(part)).values(status=status, body=body)
        session.execute(change, execution_options={"synchronize_session": False})
        _forget_contents(session, project, part)
    return len(keys)


def _forget_contents(session: Session, project: int, keys: Sequence[str]) -> int:
    """Remove what is recorded of the contents of replaced or deleted responses; return how many responses there are."""
    content_row = IdempotencyContentRow
    session.exec(delete(content_row).where(col(content_row.project_id) == project, col(content_row.key).in_(keys)))
    return len(keys)


def delete_responses(session: Session, before: datetime, limit: int) -> int:
    """Delete stored responses of all projects that are older than a time, at most `limit`; return how many."""
    row = IdempotencyRow
    query = select(row.project_id, row.key).where(col(row.created_at) < before).order_by(col(row.created_at)).limit(limit)
    keys: dict[int, list[str]] = {}
    for project, key in session.exec(query):
        keys.setdefault(project, []).append(key)
    deleted = 0
    for project, keys_of_project in keys.items():
        deleted += _forget_contents(session, project, keys_of_project)
        session.exec(delete(row).where(col(row.project_id) == project, col(row.key).in_(keys_of_project)))
    return deleted


def complete_response(session: Session, project: int, key: str, body: str) -> None:
    """Replace the body of the response under an idempotency key, unless an erasure has replaced the response meanwhile."""
    row = IdempotencyRow
    completed = update(row).where(col(row.project_id) == project, col(row.key) == key, col(row.status) < 300)
    session.exec(completed.values(body=body))
