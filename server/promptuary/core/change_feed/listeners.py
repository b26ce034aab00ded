"""The processes that answer lookups from memory on PostgreSQL, and the wait of a write until each of them knows of it.

A listener has a session of its own, with an advisory lock as the sign that it lives. In a table it confirms the revisions that
it knows. Who has committed a change reads who listens and waits for their confirmations; a process that begins to listen later
reads the revisions after the commit. A listener answers from memory for `LEASE_SECONDS` after its last poll began. So one that
neither confirms nor ends, because its process is stopped, is waited for as long as that, and its session is then ended.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel import Field, SQLModel

from promptuary.core.database import Database

LEASE_SECONDS = 6.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.001, 0.02
_LOCK = 0x70726F6C
JOIN = f"SELECT pg_advisory_lock_shared({_LOCK}, 1)"
"""The statement with which a session becomes a listener, until it ends."""
FORGET = "DELETE FROM change_listener WHERE listener = pg_backend_pid()"
"""The statement that removes what an ended session of the same number has confirmed."""
CONFIRM = """
INSERT INTO change_listener (listener, project, revision, access_revision)
SELECT pg_backend_pid(), * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[])
ON CONFLICT (listener, project) DO UPDATE SET revision = excluded.revision, access_revision = excluded.access_revision
"""
"""The statement with which a listener confirms revisions: projects, revisions and access revisions."""
_BEHIND = text(
    f"""
SELECT lock.pid FROM pg_locks AS lock
WHERE lock.locktype = 'advisory' AND lock.classid = {_LOCK} AND lock.objid = 1 AND lock.granted
AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND lock.pid <> :own
AND NOT EXISTS (
    SELECT 1 FROM change_listener AS confirmed
    WHERE confirmed.listener = lock.pid AND confirmed.project = :project
    AND confirmed.revision >= :revision AND confirmed.access_revision >= :access_revision
)
"""
)


class ListenerRow(SQLModel, table=True):
    """The revisions of a project that a listener knows; of an ended session, nothing."""

    __tablename__ = "change_listener"

    listener: int = Field(primary_key=True)
    project: int = Field(primary_key=True)
    revision: int
    access_revision: int


def wait_for_listeners(database: Database, published: Mapping[int, Any], sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until every other process that answers lookups from memory knows the revisions that were committed.

    Args:
        database: PostgreSQL; its own listener is not waited for.
        published: the committed revisions by project.
        sleep: waits for some seconds.
    """
    deadline = time.monotonic() + LEASE_SECONDS
    with database.engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        for project, revisions in published.items():
            values = {"project": project, "own": database.listener or 0, **revisions._asdict()}
            pause = FIRST_PAUSE_SECONDS
            while behind := connection.execute(_BEHIND, values).scalars().all():
                if time.monotonic() >= deadline:
                    import structlog  # most commands wait for nobody, and its import takes longer than they do

                    log = structlog.get_logger(__name__)
                    log.warning("a process that answers lookups does not react; its session is ended", sessions=list(behind))
                    for session in behind:
                        connection.execute(text("SELECT pg_terminate_backend(:session)"), {"session": session})
                    break
                sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
