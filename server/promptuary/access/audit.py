"""The audit chain: every change writes one row in its own transaction, and each row's digest covers the one before it."""

from dataclasses import dataclass
from typing import Any

from promptuary.access import store
from promptuary.access.caller import Unit
from promptuary.access.store import Entry
from promptuary.base.clock import in_utc
from promptuary.base.database import Session
from promptuary.base.paging import Page, decode, page
from promptuary.prompt.digest import digest

ORIGIN = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Verification:
    """What a walk over the chain found: how many rows, and the first that does not fit, with the reason."""

    rows: int
    broken_at: int | None
    reason: str | None


def record(unit: Unit, action: str, subject: str, detail: dict[str, Any] | None = None) -> None:
    """Write who did what to which thing. If this fails, so does the change.

    Args:
        unit: the transaction of the change.
        action: `noun.verb` in the past, as `label.moved`.
        subject: the thing's name.
        detail: JSON values that tell the change; never a secret, never the values of variables.
    """
    write(unit.session, unit.caller.project, unit.caller.actor, action, subject, detail or {}, unit.clock())


def write(session: Session, project: int, actor: str, action: str, subject: str, detail: dict[str, Any], at: Any) -> None:
    """Write a row on behalf of an actor that has no key: the worker, or the command line on the data directory."""
    sequence = store.next_audit_sequence(session, project)
    previous = store.audit_digest(session, project, sequence - 1) or ORIGIN
    entry = Entry(sequence, at, actor, action, subject, detail, previous, "")
    store.add_entry(session, project, Entry(**{**vars(entry), "digest": _digest(entry)}))


def entries(unit: Unit, limit: int, cursor: str | None) -> Page[Entry]:
    """List the project's chain in its order."""
    rows = store.entries(unit.session, unit.caller.project, decode(cursor, int), limit + 1)
    return page(rows, limit, lambda entry: entry.sequence)


def verify(session: Session, project: int) -> Verification:
    """Walk the chain and recompute every digest; a row changed, removed or put in is found."""
    previous, rows = ORIGIN, 0
    for entry in store.walk_entries(session, project):
        rows += 1
        if entry.sequence != rows:
            return Verification(rows, rows, "a row is missing")
        if entry.previous != previous or entry.digest != _digest(entry):
            return Verification(rows, entry.sequence, "the row was changed")
        previous = entry.digest
    if rows != store.audit_sequence(session, project):
        return Verification(rows, rows + 1, "rows are missing at the end")
    return Verification(rows, None, None)


def _digest(entry: Entry) -> str:
    body = {**vars(entry), "at": in_utc(entry.at)}
    body.pop("digest")
    return digest(body)
