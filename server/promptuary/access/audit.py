"""The audit chain: every change writes one row in its own transaction, and each row's digest covers the one before it."""

from dataclasses import dataclass
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
class ChainVerification:
    """What a walk over the chain found: how many rows, and the first that does not fit, with the reason."""

    rows: int
    broken_at: int | None
    reason: str | None


def record_change(unit: UnitOfWork, action: str, subject: str, detail: dict[str, Any] | None = None) -> None:
    """Write who did what to which thing. If this fails, so does the change.

    Args:
        unit: the transaction of the change.
        action: `noun.verb` in the past, as `label.moved`.
        subject: the thing's name.
        detail: JSON values that tell the change; never a secret, never the values of variables.
    """
    append_entry(unit.session, unit.caller.project, unit.caller.actor, action, subject, detail or {}, unit.clock())


def append_entry(
    session: Session, project: int, actor: str, action: str, subject: str, detail: dict[str, Any], at: Any
) -> None:
    """Write a row on behalf of an actor that has no key: the worker, or the command line on the data directory."""
    sequence = store.next_audit_sequence(session, project)
    previous = store.get_audit_digest(session, project, sequence - 1) or GENESIS_DIGEST
    entry = AuditEntry(sequence, at, actor, action, subject, detail, previous, "")
    store.add_entry(session, project, AuditEntry(**{**vars(entry), "digest": _digest(entry)}))


def list_entries(unit: UnitOfWork, limit: int, cursor: str | None) -> Page[AuditEntry]:
    """List the project's chain in its order."""
    rows = store.list_entries(unit.session, unit.caller.project, decode_cursor(cursor, int), limit + 1)
    return build_page(rows, limit, lambda entry: entry.sequence)


def verify_chain(session: Session, project: int) -> ChainVerification:
    """Walk the chain and recompute every digest; a row changed, removed or put in is found."""
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
