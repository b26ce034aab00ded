"""The audit chain: every change writes one row in its own transaction, and each row's digest covers the one before it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from promptuary.access import store
from promptuary.access.store import AuditEntry
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.digest import json_digest

GENESIS_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Change:
    """Who did what to which thing; `detail` has JSON values, never a secret and never the values of variables."""

    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class ChainVerification:
    """The result of a verification: the number of rows, and the first one that is broken, with the reason."""

    rows: int
    broken_at: int | None
    reason: str | None


def record_change(unit: UnitOfWork, action: str, subject: str, detail: dict[str, Any] | None = None) -> None:
    """Append the entry of a change: who did what to which thing. If this fails, so does the change.

    Args:
        unit: the transaction of the change.
        action: `noun.verb` in the past, as `label.moved`.
        subject: the thing's name.
        detail: JSON values that describe the change; never a secret, never the values of variables.
    """
    change = Change(unit.caller.actor, action, subject, detail or {}, unit.clock())
    append_entry(unit.session, unit.caller.project, change)


def append_entry(session: Session, project: int, change: Change) -> None:
    """Append the entry of a change whose actor has no key: the worker, or the command line on the data directory."""
    sequence = store.next_audit_sequence(session, project)
    previous = store.get_audit_digest(session, project, sequence - 1) or GENESIS_DIGEST
    entry = AuditEntry(sequence=sequence, previous=previous, digest="", **vars(change))
    store.add_entry(session, project, replace(entry, digest=_digest(entry)))


def list_entries(unit: UnitOfWork, limit: int, cursor: str | None) -> Page[AuditEntry]:
    """List the project's chain in its order."""
    rows = store.list_entries(unit.session, unit.caller.project, decode_cursor(cursor, int), limit + 1)
    return build_page(rows, limit, lambda entry: entry.sequence)


def verify_chain(session: Session, project: int) -> ChainVerification:
    """Recompute every digest of the chain; this detects a row that was changed, removed or inserted."""
    previous, rows = GENESIS_DIGEST, 0
    for entry in store.iterate_entries(session, project):
        rows += 1
        if entry.sequence != rows:
            return ChainVerification(rows, rows, "a row is missing")
        if entry.previous != previous or entry.digest != _digest(entry):
            return ChainVerification(rows, entry.sequence, "the row was changed")
        previous = entry.digest
    if rows != store.get_audit_sequence(session, project):
        return ChainVerification(rows, rows + 1, "rows are missing at the end")
    return ChainVerification(rows, None, None)


def _digest(entry: AuditEntry) -> str:
    body = {**vars(entry), "at": format_timestamp(entry.at)}
    body.pop("digest")
    return json_digest(body)
