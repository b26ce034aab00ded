"""The audit chain: every change writes one row in its own transaction, and each row's digest covers the one before it."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn

from promptuary.access import store
from promptuary.access.store import AuditEntry, StoredEntry
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.core.errors import Conflict, Invalid
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.digest import json_digest

GENESIS_DIGEST = "sha256:" + "0" * 64


class _Unusual(Exception):
    """A JSON text has a number whose canonical form `json` may not write."""


def _refuse_number(_text: str) -> NoReturn:
    raise _Unusual


def _small_integer(digits: str) -> int:
    if len(digits) > 15:  # perhaps beyond 53 bits
        raise _Unusual
    return int(digits)


_USUAL_DECODER = json.JSONDecoder(parse_int=_small_integer, parse_float=_refuse_number, parse_constant=_refuse_number)
_USUAL_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
"""This writes the canonical form of nearly every row, in a third of the time: a long chain is verified in seconds."""
_STORED_TIME = len("2026-03-02 12:00:00.000000")


@dataclass(frozen=True)
class Change:
    """Whose identity did what to which thing; `detail` has JSON values, never a secret and never the values of variables."""

    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class ChainHead:
    """The end of a chain at some time: the number of its rows, and the last one's digest and time (None without rows)."""

    sequence: int
    digest: str
    at: datetime | None


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
    change = Change(unit.caller.identity, action, subject, detail or {}, unit.clock())
    append_entry(unit.session, unit.caller.project, change)


def append_entry(session: Session, project: int, change: Change) -> None:
    """Append the entry of a change whose actor has no key: the worker, or the command line on the data directory."""
    sequence = store.next_audit_sequence(session, project)
    previous = store.get_audit_digest(session, project, sequence - 1) or GENESIS_DIGEST
    entry = AuditEntry(sequence=sequence, previous=previous, digest="", **vars(change))
    store.add_entry(session, project, replace(entry, digest=entry_digest(entry)))


def list_entries(unit: UnitOfWork, limit: int, cursor: str | None) -> Page[AuditEntry]:
    """List the project's chain in its order."""
    rows = store.list_entries(unit.session, unit.caller.project, decode_cursor(cursor, int), limit + 1)
    return build_page(rows, limit, lambda entry: entry.sequence)


def read_head(session: Session, project: int) -> ChainHead:
    """Return the head of the chain: its length, and the digest of its last row, which covers all rows before it.

    Raises:
        Conflict: when the last row is missing.
    """
    sequence = store.get_audit_sequence(session, project)
    if sequence == 0:
        return ChainHead(0, GENESIS_DIGEST, None)
    last = store.list_entries(session, project, sequence - 1, 1)
    if not last or last[0].sequence != sequence:
        raise Conflict(f"the last row of the audit chain, {sequence}, is missing; find out why with `promptuary audit verify`")
    return ChainHead(sequence, last[0].digest, last[0].at)


def verify_chain(session: Session, project: int, head: ChainHead | None = None) -> ChainVerification:
    """Recompute every digest of the chain; this detects a row that was changed, removed or inserted.

    Args:
        session: the transaction; it sees one state of the database.
        project: the project's id.
        head: the head as it was at some time and was kept outside of the database. The chain must still contain it; so a
            chain is found, too, that was cut or written again together with its counter.
    """
    previous, rows = GENESIS_DIGEST, 0
    if head is not None and head.sequence == 0 and head.digest != GENESIS_DIGEST:
        return ChainVerification(0, 0, "the kept head is not of an empty chain")
    for entry in store.iterate_entries(session, project):
        rows += 1
        if entry.sequence != rows:
            return ChainVerification(rows, rows, "a row is missing")
        if entry.previous != previous or entry.digest != stored_digest(entry):
            return ChainVerification(rows, rows, "the row was changed")
        if head is not None and head.sequence == rows and entry.digest != head.digest:
            return ChainVerification(rows, rows, "the row is not the one of the kept head: the chain was written again")
        previous = entry.digest
    if rows != store.get_audit_sequence(session, project):
        return ChainVerification(rows, rows + 1, "rows are missing at the end")
    if head is not None and rows < head.sequence:
        return ChainVerification(rows, rows + 1, f"rows are missing at the end: the kept head is row {head.sequence}")
    return ChainVerification(rows, None, None)


def entry_digest(entry: AuditEntry) -> str:
    """Return the digest of an entry: of everything in it but the digest, the digest of the row before it included."""
    body = {**vars(entry), "at": format_timestamp(entry.at)}
    body.pop("digest")
    return json_digest(body)


def stored_digest(entry: StoredEntry) -> str | None:
    """Return the digest of a stored row, None where what is stored cannot have one."""
    body = entry._asdict()
    del body["digest"]
    try:
        body["at"] = _stored_timestamp(entry.at)
        usual_text = entry.detail.isascii() and "\\ud" not in entry.detail and "\\uD" not in entry.detail
        if usual_text:  # no key has a character beyond 16 bits, which RFC 8785 sorts in another place than Python
            with suppress(_Unusual):
                body["detail"] = _USUAL_DECODER.decode(entry.detail)
                return "sha256:" + hashlib.sha256(_USUAL_ENCODER.encode(body).encode()).hexdigest()
        body["detail"] = json.loads(entry.detail)
        return json_digest(body)
    except (AttributeError, TypeError, ValueError, RecursionError, Invalid):
        return None


def _stored_timestamp(at: Any) -> str:
    """Return a row's time as it is digested: `format_timestamp` of it, without parsing the text that SQLite stores.

    Raises:
        ValueError, TypeError, AttributeError: it is no time.
    """
    if not isinstance(at, str):
        return format_timestamp(at)
    if len(at) != _STORED_TIME or at[10] != " ":
        raise ValueError(at)
    return f"{at[:10]}T{at[11:]}Z"
