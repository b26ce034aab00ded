"""The query of an export. It takes a session and yields domain values."""

from collections.abc import Iterator, Mapping

from sqlmodel import Session, col, select

from promptuary.review import tables
from promptuary.review.agreement.final_label import FinalLabel
from promptuary.review.exports.export_row import ExportRow
from promptuary.review.labels.store import decision_from_row
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.store import is_standing, item_from_row

_ROWS_A_QUERY = 500


def iterate_rows(session: Session, queue: Queue, final: Mapping[str, Mapping[str, FinalLabel]]) -> Iterator[ExportRow]:
    """Yield the decisions that were not undone, in the order in which they were made."""
    after = 0
    while True:
        query = select(tables.DecisionRow, tables.ItemRow)
        query = query.join(tables.ItemRow, col(tables.ItemRow.id) == col(tables.DecisionRow.item_id))
        query = query.where(tables.ItemRow.queue_id == queue.id, is_standing(), col(tables.DecisionRow.id) > after)
        rows = session.exec(query.order_by(col(tables.DecisionRow.id)).limit(_ROWS_A_QUERY)).all()
        for row, item_row in rows:
            decision = decision_from_row(session, row, item_from_row(session, item_row))
            yield ExportRow(decision, final.get(decision.item, {}))
        if len(rows) < _ROWS_A_QUERY:
            return
        after = rows[-1][0].id or 0
