"""Queries of the spans that wait for calls. They take a session, in a transaction that writes."""

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import PromptMark
from promptuary.traffic.intake.spans.waiting_span import RedactText, SpanVariables, WaitingSpan, mark_json
from promptuary.traffic.intake.store import SELECTED, dialect_of, insert_new, values_of
from promptuary.traffic.tables import LinkRow, SpanContentsRow


def add_spans(session: Session, project: int, spans: Sequence[WaitingSpan], now: int, redact: RedactText) -> None:
    """Store spans that wait for calls, those that are not there.

    Args:
        session: the transaction.
        project: of the spans.
        spans: of the request.
        now: seconds since 1970.
        redact: removes people's data from a text.
    """
    ordered = sorted(spans, key=lambda span: span.span)
    rows = [
        {
            "span": span.span,
            "parent": span.parent,
            "prompt": None if span.prompt is None else mark_json(span.prompt),
            "at": now,
        }
        for span in ordered
    ]
    contents = [row for span in ordered if (row := span.contents_row(project, now, redact)) is not None]
    for model, values in ((LinkRow, rows), (SpanContentsRow, contents)):
        if values:
            session.connection().execute(insert_new(dialect_of(session), model), values)


def find_spans(session: Session, spans: Collection[int]) -> dict[int, WaitingSpan]:
    """Return those of some spans that wait."""
    if not spans:
        return {}
    rows = session.connection().execute(_find_spans(dialect_of(session)), {"values": values_of(session, list(spans))})
    return {row.span: _waiting_span(row) for row in rows}


def _waiting_span(row: Any) -> WaitingSpan:
    mark, removed = _parsed(row.prompt), _parsed(row.removed)
    variables = None
    if row.variables is not None:
        variables = SpanVariables(decode_contents(bytes(row.variables)).variables or {}, removed or {})
    prompt = None if mark is None else PromptMark(**mark)
    return WaitingSpan(row.span, row.parent, prompt, variables, row.user_hash, row.conversation)


def _parsed(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


@lru_cache
def _find_spans(dialect: str) -> Any:
    return text(
        "SELECT link.span, link.parent, link.prompt, stated.variables, stated.removed, stated.user_hash, stated.conversation "
        "FROM traffic_link AS link LEFT JOIN traffic_span_contents AS stated ON stated.span = link.span "
        f"WHERE link.span IN {SELECTED[dialect]}"
    )
