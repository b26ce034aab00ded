"""The rules of queues: what a queue asks, and the items in it."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptuary.access import audit
from promptuary.access.contents import TrackedContent
from promptuary.access.identity import shown_name
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.core.preconditions import UNCONDITIONAL, Preconditions
from promptuary.review.queues import store
from promptuary.review.queues.case_key import input_key
from promptuary.review.queues.choice import SAVED, validate_choices
from promptuary.review.queues.count_store import count_items, read_pace
from promptuary.review.queues.judge_mapping import JudgeMapping, validate_mapping
from promptuary.review.queues.label_schema import LabelSchema, validate_schema
from promptuary.review.queues.people import resolve_identities
from promptuary.review.queues.queue import Item, Queue, QueueCounts, QueueDefinition, QueuePace

SHOWN_SOURCE = ("run", "prompt", "suite")


@dataclass(frozen=True)
class QueueState:
    """A queue with its counts and its pace, as the caller sees it.

    `source` is how the queue was filled: how its items were selected is left out for those who only decide, since that is a
    fact about every item. `may_decide` is whether the caller may claim.
    """

    queue: Queue
    counts: QueueCounts
    pace: QueuePace
    source: dict[str, Any] | None
    reviewers: tuple[str, ...]
    adjudicators: tuple[str, ...]
    may_decide: bool


@dataclass(frozen=True)
class NewItem:
    """An item to add to a queue. `source` identifies its origin and is unique in the queue.

    `probability` is its inclusion probability in the sample, in (0, 1], so that estimates can be weighted; 1 when
    everything was included. The other fields mean the same as those of `Item`; without a `case_key`, the payload's `input`
    identifies the case.
    """

    source: str
    payload: dict[str, Any]
    probability: float = 1.0
    selection: str | None = None
    pair_sides: dict[str, Any] | None = None
    repeat_of: str | None = None
    gold: dict[str, Any] | None = None
    slice_probability: float | None = None
    case_key: str | None = None
    tuning: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class AddedItems:
    """How many items were added, how many were in the queue already, and how many were left out since their case is gold.

    `repeated` counts those of the added pairs that repeat another one with the sides swapped.
    """

    added: int
    present: int
    gold: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class QueueService:
    """Queues and their items, on behalf of a caller.

    Every transaction that claims, decides or changes a queue locks the queue's row first, and the project's row (by its
    audit entry) last. So transactions see an item's free slots one after another, on SQLite and on PostgreSQL, a reviewer
    with two windows gets one item, and no two transactions wait for each other.
    """

    unit: UnitOfWork

    def put_queue(
        self, definition: QueueDefinition, keep: Collection[str] = (), condition: Preconditions = UNCONDITIONAL
    ) -> QueueState:
        """Create a queue, or change what it asks; decisions that were made do not change.

        A changed label schema gets the next number, and the former ones stay.

        Args:
            definition: the queue; `reviewers` and `adjudicators` may be names.
            keep: the fields of the definition that an existing queue keeps as they are.
            condition: what must be true of the queue before the change.

        Raises:
            PreconditionFailed: when the condition is not met.
            InvalidRequest: when two choices cannot be distinguished, the label schema is not valid, or a reviewer or
                adjudicator is nobody who may do this.
            Conflict: when a decision that was made is no longer a choice, or an item has more decisions than slots.
        """
        definition = self._with_identities(definition)
        name = definition.name
        session, project = self.unit.session, self.unit.caller.project
        queue = store.find_queue(session, project, name, lock=True)
        condition.require(None if queue is None else queue.tag, f"the queue '{name}'")
        if queue is None:
            _validate(definition)
        if queue is None and not store.add_queue(session, project, definition, self.unit.clock()):
            queue = self.find(name, lock=True)  # another transaction has created it meanwhile
            condition.require(queue.tag, f"the queue '{name}'")
        if queue is not None:
            definition = replace(definition, **{field: getattr(queue, field) for field in keep})
            _validate(definition)
            self._check_decided_items(queue, definition)
            store.update_queue(session, queue, definition)
        self._put_schema(self.find(name), definition.schema)
        detail = {"decisions": [choice.value for choice in definition.choices], "slots": definition.slots}
        audit.record_change(self.unit, "queue.set", name, detail)
        return self.queue(name)

    def _with_identities(self, definition: QueueDefinition) -> QueueDefinition:
        return replace(
            definition,
            reviewers=resolve_identities(self.unit, definition.reviewers, Scope.REVIEW_DECIDE, "reviewers"),
            adjudicators=resolve_identities(self.unit, definition.adjudicators, Scope.REVIEW_ADJUDICATE, "adjudicators"),
        )

    def _put_schema(self, queue: Queue, schema: LabelSchema) -> None:
        if replace(schema, number=0) == replace(queue.schema, number=0):
            return
        store.add_schema(self.unit.session, queue, schema, self.unit.caller.identity, self.unit.clock())
        fields = [field.name for field in schema.fields]
        audit.record_change(self.unit, "queue.schema_set", queue.name, {"number": queue.schema_number + 1, "fields": fields})

    def _check_decided_items(self, queue: Queue, definition: QueueDefinition) -> None:
        """Raise Conflict when decisions that were made contradict the new definition."""
        used, most = store.find_used_decisions(self.unit.session, queue)
        missing = used - ({choice.value for choice in definition.choices} or {SAVED})
        if missing:
            values = ", ".join(sorted(missing))
            raise Conflict(f"the queue '{queue.name}' has decisions '{values}'; keep them, or open a new queue")
        if definition.slots < most:
            raise Conflict(f"the queue '{queue.name}' has items with {most} decisions; keep at least {most} slots")

    def queue(self, name: str) -> QueueState:
        """Return a queue with its counts.

        Raises:
            NotFound: when there is none.
        """
        (state,) = self._states([self.find(name)])
        return state

    def queues(self, limit: int, cursor: str | None) -> Page[QueueState]:
        """List queues by name."""
        rows = store.list_queues(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        page = build_page(rows, limit, lambda queue: queue.name)
        return Page(self._states(page.items), page.next_cursor)

    def add_items(self, name: str, items: Sequence[NewItem]) -> AddedItems:
        """Append items to a queue; an item whose source is in the queue already does not change.

        Raises:
            NotFound: when there is no such queue.
        """
        queue = self.find(name, lock=True)
        known = store.find_known_sources(self.unit.session, queue, [item.source for item in items])
        new: dict[str, Item] = {}
        for item in items:
            if item.source not in known and item.source not in new:
                new[item.source] = _build_item(item)
        if new:
            store.add_items(self.unit.session, queue, new.values(), self.unit.clock())
            audit.record_change(self.unit, "queue.filled", name, {"added": len(new)})
        return AddedItems(len(new), len(items) - len(new))

    def find(self, name: str, *, lock: bool = False) -> Queue:
        """Return a queue without its counts; with `lock`, no other transaction claims or decides in it until this one ends.

        Raises:
            NotFound: when there is none.
        """
        queue = store.find_queue(self.unit.session, self.unit.caller.project, name, lock=lock)
        if queue is None:
            raise NotFound(f"there is no queue '{name}'")
        return queue

    def _states(self, queues: Sequence[Queue]) -> list[QueueState]:
        session, caller, now = self.unit.session, self.unit.caller, self.unit.clock()
        counts, paces = count_items(session, queues, caller.identities, now), read_pace(session, queues, now)
        return [
            QueueState(
                queue=queue,
                counts=counts[queue.id],
                pace=paces[queue.id],
                source=_shown_source(queue.source, caller),
                reviewers=tuple(shown_name(session, identity) for identity in queue.reviewers),
                adjudicators=tuple(shown_name(session, identity) for identity in queue.adjudicators),
                may_decide=caller.has(Scope.REVIEW_DECIDE) and is_named(queue.reviewers, caller),
            )
            for queue in queues
        ]


def is_named(identities: Collection[str], caller: Caller) -> bool:
    """Return whether a caller is one of those whom a queue names; everybody is where it names nobody."""
    return not identities or not set(identities).isdisjoint(caller.identities)


def _shown_source(source: dict[str, Any] | None, caller: Caller) -> dict[str, Any] | None:
    """Return where the items of a queue come from, without how they were selected where the caller only decides."""
    if source is None or caller.has(Scope.REVIEW_MANAGE):
        return source
    visible = {name: value for name, value in source.items() if name in SHOWN_SOURCE}
    fills = [{name: value for name, value in fill.items() if name in SHOWN_SOURCE} for fill in source.get("fills", ())]
    return visible | ({"fills": fills} if fills else {})


def _validate(definition: QueueDefinition) -> None:
    """Raise InvalidRequest for choices, a judge's mapping or a schema that is not valid, or where nothing can be decided."""
    validate_choices(definition.choices)
    validate_mapping(JudgeMapping.from_source(definition.source), [choice.value for choice in definition.choices])
    validate_schema(definition.schema)
    if not definition.choices and not definition.schema.fields:
        error = FieldError("decisions", "may be empty only where the label schema has a field")
        raise InvalidRequest("the queue asks nothing", [error])


def _build_item(item: NewItem) -> Item:
    return Item(
        id=item.id,
        source=item.source,
        probability=item.probability,
        stored_payload=TrackedContent(item.payload),
        decision_count=0,
        selection=item.selection,
        pair_sides=item.pair_sides,
        repeat_of=item.repeat_of,
        gold=item.gold,
        slice_probability=item.slice_probability,
        case_key=item.case_key or _payload_key(item.payload),
        tuning=item.tuning,
    )


def _payload_key(payload: dict[str, Any]) -> str | None:
    variables = payload.get("input")
    return input_key(variables) if isinstance(variables, dict) else None
