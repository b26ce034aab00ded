"""Queries of labelled items: a session in, domain values out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from promptuary.review.queues.judge_mapping import JudgeMapping
from promptuary.review.queues.store import is_standing
from promptuary.review.tables import AdjudicationRow, DecisionRow, ItemRow, QueueRow

_SOURCE = re.compile(r"(run_[0-9a-f]{1,60})/(\d{1,9})")
DECISION_FIELD = "decision"
"""The field of an adjudication that settles the queue's own decision."""


OutputContent = tuple[str | None, str | None]
"""The case's id and the output."""


@dataclass(frozen=True)
class JudgeQueue:
    """A queue whose decisions are labels of a judge's outputs."""

    id: int
    name: str
    mapping: JudgeMapping


@dataclass(frozen=True)
class RunItem:
    """An item that was made from a result of a run.

    Attributes:
        id: the item's id.
        run: the run's id.
        ordinal: the result's place in the run's plan.
        probability: the chance with which it came into the queue.
        slice_probability: the chance with which random slices alone brought it; None for an item in none.
        labels: of each reviewer, or the one that an adjudicator settled; 1, 0, or None for a decision that is no label.
    """

    id: str
    run: str
    ordinal: int
    probability: float
    slice_probability: float | None
    labels: tuple[float | None, ...]


def list_judge_queues(session: Session, project: int, metrics: frozenset[str] | None = None) -> list[JudgeQueue]:
    """Return the queues whose decisions are labels of a judged metric, or of some metrics alone."""
    query = select(QueueRow).where(QueueRow.project_id == project, col(QueueRow.source).is_not(None))
    queues = []
    for row in session.exec(query.order_by(QueueRow.name)):
        mapping = JudgeMapping.from_source(row.source)
        if mapping is not None and (metrics is None or mapping.metric in metrics):
            queues.append(JudgeQueue(row.id or 0, row.name, mapping))
    return queues


def iterate_run_items(session: Session, queue: JudgeQueue) -> Iterator[RunItem]:
    """Yield the items of a queue that were made from results of runs, with their labels; pairs are left out."""
    labels = _list_labels(session, queue)
    query = select(ItemRow.id, ItemRow.source, ItemRow.probability, ItemRow.slice_probability)
    query = query.where(ItemRow.queue_id == queue.id, col(ItemRow.pair_sides).is_(None)).order_by(col(ItemRow.place))
    for item_id, source, probability, by_slice in session.exec(query):
        if match := _SOURCE.fullmatch(source):
            yield RunItem(item_id, match[1], int(match[2]), probability, by_slice, tuple(labels.get(item_id, ())))


def _list_labels(session: Session, queue: JudgeQueue) -> Mapping[str, list[float | None]]:
    """Return the labels by item: those of standing decisions, or the latest one that an adjudicator settled."""
    labels: dict[str, list[float | None]] = {}
    mapping = queue.mapping
    decisions = select(DecisionRow.item_id, DecisionRow.decision, DecisionRow.labels)
    decisions = decisions.join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    for item, decision, fields in session.exec(decisions.where(ItemRow.queue_id == queue.id, is_standing())):
        labels.setdefault(item, []).append(mapping.label_of(decision, fields))
    settled = select(AdjudicationRow.item_id, AdjudicationRow.value)
    settled = settled.join(ItemRow, col(ItemRow.id) == col(AdjudicationRow.item_id))
    settled = settled.where(ItemRow.queue_id == queue.id, AdjudicationRow.field == (mapping.field or DECISION_FIELD))
    value: Any
    for item, value in session.exec(settled.order_by(col(AdjudicationRow.id))):
        labels[item] = [mapping.label_of_value(value)]
    return labels


def list_tuned_contents(session: Session, project: int) -> set[OutputContent]:
    """Return the case and the output of each item that tuned a judge, in whichever queue; copies are recognized by them."""
    query = select(ItemRow.payload).join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
    payloads = session.exec(query.where(QueueRow.project_id == project, col(ItemRow.tuning).is_(True)))
    return {(payload.get("case"), payload.get("output")) for payload in payloads}


def set_mapping(session: Session, queue_id: int, mapping: JudgeMapping) -> None:
    """Store how a queue's decisions become labels, beside what else is known of the queue's source."""
    row = session.get_one(QueueRow, queue_id)
    row.source = {**(row.source or {}), "judge": mapping.to_json()}
    session.add(row)
    session.flush()


def set_tuning(session: Session, queue_id: int, items: frozenset[str], *, tuning: bool) -> set[str]:
    """Mark items of a queue as having tuned a judge, or as not; return the ids of those that are in the queue."""
    rows = session.exec(select(ItemRow).where(ItemRow.queue_id == queue_id, col(ItemRow.id).in_(items))).all()
    for row in rows:
        row.tuning = tuning
        session.add(row)
    session.flush()
    return {row.id for row in rows}
