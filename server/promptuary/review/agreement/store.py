"""Queries of labelled items and of adjudications. They take a session and return domain values."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from promptuary.review.agreement.label import PRIMARY, LabelDefinition, Level
from promptuary.review.agreement.labelled_item import LabelledItem, ReviewerLabels
from promptuary.review.queues.label_schema import FieldType, fields_from_json
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_gold_case, is_standing, item_from_row
from promptuary.review.tables import AdjudicationRow, DecisionRow, ItemRow, SchemaRow


@dataclass(frozen=True)
class NewAdjudication:
    """A settled label of an item, and who settled it why. `schema_number` is that of the queue at that time."""

    item: str
    label: str
    value: Any
    reason: str
    adjudicator: str
    schema_number: int
    at: datetime


@dataclass(frozen=True)
class Adjudication(NewAdjudication):
    """A stored adjudication; of several of one label the latest counts."""

    id: int


def list_labels(queue: Queue) -> tuple[LabelDefinition, ...]:
    """Return the primary decision, where the queue has one, and the fields of its current schema."""
    fields = tuple(LabelDefinition.of_field(field) for field in queue.schema.fields)
    if not queue.choices:
        return fields
    choices = tuple(choice.value for choice in queue.choices)
    return (LabelDefinition(PRIMARY, "Decision", FieldType.CHOICE, choices), *fields)


def _list_offered(session: Session, queue: Queue) -> dict[int, frozenset[str]]:
    """Return, by the number of each schema of the queue, the fields that mean something when they are left empty."""
    rows = session.exec(select(SchemaRow).where(SchemaRow.queue_id == queue.id))
    return {
        row.number: frozenset(
            field.name for field in fields_from_json(row.fields) if LabelDefinition.of_field(field).may_be_empty
        )
        for row in rows
    }


def list_labelled_items(
    session: Session, queue: Queue, labels: Sequence[LabelDefinition], ids: Collection[str] | None = None
) -> list[LabelledItem]:
    """List the items that have a decision, in the order of the queue, without pairs that repeat another.

    Args:
        session: the session.
        queue: the queue.
        labels: its labels; what is known about them is the items' gold.
        ids: the only items; None for all.
    """
    reviews = _list_reviews(session, queue, ids)
    has_spans = any(label.level is Level.CHARACTERS for label in labels)
    payload: Any = ItemRow.payload
    columns: list[Any] = [ItemRow.id, ItemRow.source, ItemRow.decided, ItemRow.gold, payload["expected"], is_gold_case()]
    query = select(*columns, *([payload["output"]] if has_spans else []))
    query = query.where(ItemRow.queue_id == queue.id, col(ItemRow.repeat_of).is_(None), ItemRow.decided > 0)
    if ids is not None:
        query = query.where(col(ItemRow.id).in_(ids))
    rows = session.exec(query.order_by(col(ItemRow.place), col(ItemRow.id)))
    return [
        LabelledItem(
            id=item,
            source=source,
            slots_left=0 if closed else max(0, queue.slots - decided),
            reviews=tuple(reviews.get(item, ())),
            gold=_gold(labels, gold, expected),
            length=len(output[0]) if output and isinstance(output[0], str) else 0,
        )
        for item, source, decided, gold, expected, closed, *output in rows
    ]


def find_items(session: Session, queue: Queue, ids: Collection[str]) -> dict[str, Item]:
    """Return items of a queue by id, with their contents."""
    query = select(ItemRow).where(ItemRow.queue_id == queue.id, col(ItemRow.id).in_(ids))
    return {row.id: item_from_row(session, row) for row in session.exec(query)}


def _list_reviews(session: Session, queue: Queue, ids: Collection[str] | None) -> dict[str, list[ReviewerLabels]]:
    query = select(DecisionRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id, is_standing()).order_by(col(DecisionRow.id))
    if ids is not None:
        query = query.where(col(ItemRow.id).in_(ids))
    offered = _list_offered(session, queue)
    reviews: dict[str, list[ReviewerLabels]] = {}
    for row in session.exec(query):
        reviews.setdefault(row.item_id, []).append(
            ReviewerLabels(
                decision_id=row.id or 0,
                reviewer=row.reviewer,
                decision=row.decision,
                labels=row.labels or {},
                comment=row.comment,
                correction=row.correction,
                schema_number=row.schema_number,
                at=row.at,
                offered=offered.get(row.schema_number, frozenset()),
            )
        )
    return reviews


def _gold(labels: Sequence[LabelDefinition], gold: dict[str, Any] | None, expected: Any) -> dict[str, Any]:
    """Return the known labels: the item's own ones, else the case's expected value where it is one of a label's options."""
    known = {}
    for label in labels:
        value = (gold or {}).get(label.name)
        if value is not None and label.accepts(value):
            known[label.name] = value
        elif label.options is not None and isinstance(expected, str) and label.accepts(expected):
            known[label.name] = expected
    return known


def add_adjudications(session: Session, adjudications: Iterable[NewAdjudication]) -> list[Adjudication]:
    """Store adjudications and return them with their ids."""
    stored = []
    for new in adjudications:
        row = AdjudicationRow(
            item_id=new.item,
            field=new.label,
            value=new.value,
            reason=new.reason,
            adjudicator=new.adjudicator,
            schema_number=new.schema_number,
            at=new.at,
        )
        session.add(row)
        session.flush()
        stored.append(_adjudication_from_row(row))
    return stored


def list_adjudications(
    session: Session, queue: Queue, ids: Collection[str] | None = None
) -> dict[str, dict[str, Adjudication]]:
    """Return the adjudication that counts by item and label: the latest one."""
    query = select(AdjudicationRow).join(ItemRow, col(ItemRow.id) == col(AdjudicationRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id).order_by(col(AdjudicationRow.id))
    if ids is not None:
        query = query.where(col(ItemRow.id).in_(ids))
    latest: dict[str, dict[str, Adjudication]] = {}
    for row in session.exec(query):
        latest.setdefault(row.item_id, {})[row.field] = _adjudication_from_row(row)
    return latest


def _adjudication_from_row(row: AdjudicationRow) -> Adjudication:
    return Adjudication(
        id=row.id or 0,
        item=row.item_id,
        label=row.field,
        value=row.value,
        reason=row.reason,
        adjudicator=row.adjudicator,
        schema_number=row.schema_number,
        at=row.at,
    )
