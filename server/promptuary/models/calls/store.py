"""Queries of cached responses: functions that take a session and return values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, col

from promptuary.core.database import table_of
from promptuary.models.calls.tables import ResponseRow

_RESPONSES = table_of(ResponseRow).c
_CACHED_RESPONSES = select(_RESPONSES.key, _RESPONSES.body).where(
    _RESPONSES.project_id == bindparam("project"),
    _RESPONSES.key.in_(bindparam("keys", expanding=True)),
    _RESPONSES.created_at >= bindparam("since"),
)


def cached_responses(session: Session, project: int, keys: Sequence[str], since: datetime) -> dict[str, dict[str, Any]]:
    """Return the bodies of the cached responses under the keys, by key; none that is older than `since`."""
    values = {"project": project, "keys": list(keys), "since": since}
    return {key: dict(body) for key, body in session.connection().execute(_CACHED_RESPONSES, values)}


def delete_responses(session: Session, project: int, before: datetime) -> int:
    """Delete the responses of a project that are older than a moment, and return how many there were."""
    old = delete(ResponseRow).where(col(ResponseRow.project_id) == project, col(ResponseRow.created_at) < before)
    return len(session.execute(old.returning(col(ResponseRow.key))).all())


def write_responses(session: Session, project: int, responses: Mapping[str, Mapping[str, Any]], at: datetime) -> None:
    """Write the bodies of responses by key, and replace older ones of the same keys."""
    if not responses:
        return
    table = table_of(ResponseRow)
    new = (postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert)(table)
    upsert = new.on_conflict_do_update(
        index_elements=["project_id", "key"], set_={"body": new.excluded.body, "created_at": new.excluded.created_at}
    )
    # In the order of their keys, so that two writers do not wait for each other.
    rows = [{"project_id": project, "key": key, "body": body, "created_at": at} for key, body in sorted(responses.items())]
    session.connection().execute(upsert, rows)
