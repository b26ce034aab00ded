"""Queries of queues and their items. They take a session and return domain values; names are scoped by project."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from promptuary.access.contents import TrackedContent, track_content
from promptuary.prompt.name import is_name
from promptuary.review.queues.choice import Choice
from promptuary.review.queues.label_schema import LabelSchema, fields_from_json, fields_to_json
from promptuary.review.queues.queue import Item, Queue, QueueDefinition
from promptuary.review.tables import (
    ClaimRow,
    DecisionRow,
    GoldCaseRow,
    ItemRow,
    QueueRow,
    SchemaRow,
    UndoRow,
)

REPEATED = "~swapped"
"""The end of the source of a pair that repeats another one with its sides swapped."""
_PARTS_OF_NOBODY = ("case", "prompt", "version", "model", "scores", "observation", "label")
_ERASED_PARTS = ("output", "messages", "passages", "error")


def find_queue(session: Session, project: int, name: str, *, lock: bool = False) -> Queue | None:
    """Return a queue, or None; with `lock`, no other transaction claims or decides in it until this one ends."""
    query = select(QueueRow).where(QueueRow.project_id == project, QueueRow.name == name)
    if lock:  # populate_existing: what this session read before the lock may have changed
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).one_or_none()
    return _queue_from_row(session, row) if row else None


def list_queues(session: Session, project: int, after: str | None, limit: int) -> list[Queue]:
    """List queues by name."""
    query = select(QueueRow).where(QueueRow.project_id == project).order_by(QueueRow.name).limit(limit)
    if after is not None:
        query = query.where(QueueRow.name > after)
    return [_queue_from_row(session, row) for row in session.exec(query)]


def add_queue(session: Session, project: int, definition: QueueDefinition, at: datetime) -> bool:
    """Store a new queue and return True; return False when another transaction has created one of that name."""
    row = QueueRow(project_id=project, created_at=at, name=definition.name, **_columns(definition))
    row.source = definition.source
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def update_queue(session: Session, queue: Queue, definition: QueueDefinition) -> None:
    """Change what a queue asks; what its source records stays where the definition does not name it."""
    source = queue.source if definition.source is None else {**(queue.source or {}), **definition.source}
    values = _columns(definition) | {"source": source}
    session.exec(update(QueueRow).where(col(QueueRow.id) == queue.id).values(**values))


def _columns(definition: QueueDefinition) -> dict[str, Any]:
    return {
        "instructions": definition.instructions,
        "decisions": [vars(choice) for choice in definition.choices],
        "slots": definition.slots,
        "reviewers": list(definition.reviewers),
        "adjudicators": list(definition.adjudicators),
        "blind": list(definition.revealed),
        "due_at": definition.due_at,
        "undo_seconds": definition.undo_seconds,
        "swap_share": definition.swap_share,
    }


def _queue_from_row(session: Session, row: QueueRow) -> Queue:
    return Queue(
        id=row.id or 0,
        name=row.name,
        instructions=row.instructions,
        choices=tuple(Choice(**choice) for choice in row.decisions),
        slots=row.slots,
        schema=_find_schema(session, row),
        reviewers=tuple(row.reviewers or ()),
        adjudicators=tuple(row.adjudicators or ()),
        revealed=tuple(row.blind or ()),
        due_at=row.due_at,
        undo_seconds=row.undo_seconds,
        source=row.source,
        swap_share=row.swap_share,
        created_at=row.created_at,
    )


def _find_schema(session: Session, queue: QueueRow) -> LabelSchema:
    row = session.get(SchemaRow, (queue.id, queue.schema_number)) if queue.schema_number else None
    return (
        LabelSchema() if row is None else LabelSchema(fields_from_json(row.fields), row.rubric, tuple(row.examples), row.number)
    )


def add_schema(session: Session, queue: Queue, schema: LabelSchema, author: str, at: datetime) -> None:
    """Store the next state of a queue's label schema, and make it the one in force."""
    last = session.exec(select(func.max(SchemaRow.number)).where(SchemaRow.queue_id == queue.id)).one()
    number = (last or 0) + 1
    session.add(
        SchemaRow(
            queue_id=queue.id,
            number=number,
            fields=fields_to_json(schema.fields),
            rubric=schema.rubric,
            examples=list(schema.examples),
            created_by=author,
            created_at=at,
        )
    )
    session.flush()
    session.exec(update(QueueRow).where(col(QueueRow.id) == queue.id).values(schema_number=number))


def find_used_decisions(session: Session, queue: Queue) -> tuple[set[str], int]:
    """Return the values that were decided so far, and the largest number of decisions on one item."""
    query = select(DecisionRow.decision).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    values = session.exec(query.where(ItemRow.queue_id == queue.id, is_standing()).distinct()).all()
    most = session.exec(select(func.max(ItemRow.decided)).where(ItemRow.queue_id == queue.id)).one()
    return set(values), most or 0


def find_known_sources(session: Session, queue: Queue, sources: list[str]) -> set[str]:
    """Return those of the sources that the queue has already."""
    query = select(ItemRow.source).where(ItemRow.queue_id == queue.id, col(ItemRow.source).in_(sources))
    return set(session.exec(query))


@dataclass(frozen=True)
class ItemChance:
    """How an item that is in a queue already came there, and with which probabilities."""

    source: str
    probability: float
    slice_probability: float | None
    selection: str | None


def list_chances(session: Session, queue: Queue, prefix: str) -> dict[str, ItemChance]:
    """Return how the items whose source begins with a prefix came into the queue, by source; repetitions are left out."""
    fields: Any = (ItemRow.source, ItemRow.probability, ItemRow.slice_probability, ItemRow.selection)
    query: Any = select(*fields).where(
        ItemRow.queue_id == queue.id, col(ItemRow.source).startswith(prefix, autoescape=True), col(ItemRow.repeat_of).is_(None)
    )
    return {chance.source: chance for chance in (ItemChance(*row) for row in session.exec(query))}


def change_chances(session: Session, queue: Queue, chances: Iterable[ItemChance]) -> None:
    """Store the probabilities of items that are in the queue already; a repetition has those of its pair."""
    for chance in chances:
        change = update(ItemRow).where(
            col(ItemRow.queue_id) == queue.id, col(ItemRow.source).in_([chance.source, f"{chance.source}{REPEATED}"])
        )
        values = {name: value for name, value in vars(chance).items() if name != "source"}
        session.exec(change.values(**values))


def _track(session: Session, body: dict[str, Any]) -> TrackedContent[dict[str, Any]]:
    prompt, version = body.get("prompt"), body.get("version")
    if isinstance(prompt, str) and is_name(prompt) and isinstance(version, int) and 0 < version < 2**31:
        return track_content(session, body, prompt, int(version))
    return TrackedContent(body)


def set_source(session: Session, queue: Queue, source: dict[str, Any]) -> None:
    """Store how the queue was filled."""
    session.exec(update(QueueRow).where(col(QueueRow.id) == queue.id).values(source=source))


def list_gold_keys(session: Session, project: int) -> set[str]:
    """Return the keys of a project's gold cases."""
    query = select(GoldCaseRow.case_key).where(GoldCaseRow.project_id == project, col(GoldCaseRow.case_key).is_not(None))
    return {key for key in session.exec(query.distinct()) if key is not None}


def is_gold_case() -> ColumnElement[bool]:
    """Return the SQL condition that an item's case is gold by now, so that nobody labels it again; for a query over items.

    An item whose labels are known stays: it is there to compare its reviewers with them.
    """
    same_case = exists().where(
        col(GoldCaseRow.case_key) == ItemRow.case_key,
        col(GoldCaseRow.project_id) == QueueRow.project_id,
        col(QueueRow.id) == ItemRow.queue_id,
    )
    return and_(col(ItemRow.gold).is_(None), same_case)


def add_items(session: Session, queue: Queue, items: Iterable[Item], at: datetime) -> None:
    """Append items to the queue in their order."""
    last = session.exec(select(func.max(ItemRow.place)).where(ItemRow.queue_id == queue.id)).one()
    for place, item in enumerate(items, start=(last or 0) + 1):
        row = ItemRow(queue_id=queue.id, place=place, created_at=at, id=item.id, source=item.source, payload=item.payload)
        row.probability, row.decided, row.selection = item.probability, item.decision_count, item.selection
        row.pair_sides, row.repeat_of, row.gold = item.pair_sides, item.repeat_of, item.gold
        row.slice_probability, row.case_key, row.tuning = item.slice_probability, item.case_key, item.tuning
        session.add(row)
    session.flush()


def erase_items(session: Session, project: int, prompt: str, version: int) -> int:
    """Clear the outputs and rendered inputs of the items that were made from a version; return how many there are."""
    queues = select(QueueRow.id).where(QueueRow.project_id == project)
    contents = (ItemRow.payload, ItemRow.pair_sides)
    name = or_(*(cast(content, String).contains(f'"{prompt}"', autoescape=True) for content in contents))
    count = 0
    for row in session.exec(select(ItemRow).where(col(ItemRow.queue_id).in_(queues), name)).all():
        sides = row.pair_sides or {}
        changed = {side: _erased(body) for side, body in sides.items() if _is_of(body, prompt, version)}
        if changed:
            row.pair_sides = sides | changed
        if _is_of(row.payload, prompt, version):
            row.payload = _erased(row.payload)
        elif not changed:
            continue
        session.exec(update(ClaimRow).where(col(ClaimRow.item_id) == row.id).values(draft=None, draft_at=None))
        session.add(row)
        count += 1
    session.flush()
    return count


def erase_case_items(
    session: Session, project: int, cases: Collection[str], of_runs: Mapping[str, Collection[str]] | None = None
) -> dict[str, bool]:
    """Clear the contents of the items that were made of some cases or calls; return by id whether they were erased before.

    Args:
        session: in a transaction that writes.
        project: whose items.
        cases: ids of calls, and of cases in any dataset.
        of_runs: ids of cases by the run whose results items were made of.
    """
    ids, of_runs = frozenset(cases), of_runs or {}
    if not ids and not of_runs:
        return {}
    queues = select(QueueRow.id).where(QueueRow.project_id == project)
    names = (ItemRow.payload["case"].as_string(), ItemRow.payload["observation"].as_string())
    is_erased = and_(ItemRow.payload["erased"].as_boolean(), ItemRow.payload["input"].as_string().is_(None))
    columns: Any = (ItemRow.id, ItemRow.source, is_erased, *names)
    query: Any = select(*columns).where(col(ItemRow.queue_id).in_(queues))
    items: dict[str, bool] = {
        item: bool(erased)
        for item, source, erased, *values in session.exec(query)
        if not ids.isdisjoint(values) or values[0] in of_runs.get(source.split("/")[0], ())
    }
    for item in items:
        row = session.get_one(ItemRow, item)
        row.payload = _erased_case(row.payload)
        if row.pair_sides is not None:
            row.pair_sides = {side: _erased_case(body) for side, body in row.pair_sides.items()}
        row.gold = None
        session.exec(update(ClaimRow).where(col(ClaimRow.item_id) == item).values(draft=None, draft_at=None))
        session.add(row)
    session.flush()
    return items


def _erased_case(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value if key in _PARTS_OF_NOBODY else None for key, value in body.items()} | {"erased": True}


def _is_of(body: dict[str, Any], prompt: str, version: int) -> bool:
    return body.get("prompt") == prompt and body.get("version") == version


def _erased(body: dict[str, Any]) -> dict[str, Any]:
    return {key: None if key in _ERASED_PARTS else value for key, value in body.items()} | {"erased": True}


def is_standing() -> ColumnElement[bool]:
    """Return the SQL condition that a decision was not undone; for a query over decisions."""
    return ~exists().where(col(UndoRow.decision_id) == col(DecisionRow.id))


def is_decided_by(reviewer: Sequence[str]) -> ColumnElement[bool]:
    """Return the SQL condition that the reviewer has decided an item; for a query over items."""
    return exists().where(col(DecisionRow.item_id) == ItemRow.id, col(DecisionRow.reviewer).in_(reviewer), is_standing())


def is_available_to(reviewer: Sequence[str]) -> ColumnElement[bool]:
    """Return the SQL condition that a reviewer may still get an item, apart from its slots; for a query over items.

    They have not decided it, its case is not gold, and of a pair that repeats another one they have decided that one.
    """
    has_decided_pair = exists().where(
        col(DecisionRow.item_id) == col(ItemRow.repeat_of), col(DecisionRow.reviewer).in_(reviewer), is_standing()
    )
    return and_(~is_decided_by(reviewer), ~is_gold_case(), or_(col(ItemRow.repeat_of).is_(None), has_decided_pair))


def item_from_row(session: Session, row: ItemRow) -> Item:
    """Return the domain value of a row; what it contains of versions that a run evaluated is tracked.

    That of a pair, which is two versions, is noted as read at once.
    """
    for side in (row.pair_sides or {}).values():
        _track(session, side).read()
    payload = _track(session, row.payload)
    return Item(
        id=row.id,
        source=row.source,
        probability=row.probability,
        stored_payload=payload,
        decision_count=row.decided,
        selection=row.selection,
        pair_sides=row.pair_sides,
        repeat_of=row.repeat_of,
        gold=row.gold,
        slice_probability=row.slice_probability,
        case_key=row.case_key,
        tuning=row.tuning,
    )


def count_open_items(session: Session, limit: int) -> list[tuple[int, str, int]]:
    """Return the number of items that lack a decision, by the project's number and the queue's name; the longest first."""
    count: Any = func.count()
    query: Any = select(QueueRow.project_id, QueueRow.name, count).join(ItemRow, col(ItemRow.queue_id) == col(QueueRow.id))
    query = query.where(ItemRow.decided < QueueRow.slots).group_by(col(QueueRow.project_id), col(QueueRow.name))
    return [(project, name, items) for project, name, items in session.exec(query.order_by(count.desc()).limit(limit))]
