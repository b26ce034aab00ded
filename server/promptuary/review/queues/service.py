"""The rules of queues: what a queue asks, and the items in it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.access import audit
from promptuary.access.contents import TrackedContent
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.review.queues import store
from promptuary.review.queues.case_key import input_key
from promptuary.review.queues.choice import validate_choices
from promptuary.review.queues.queue import Item, Queue, QueueCounts, QueueDefinition


@dataclass(frozen=True)
class QueueState:
    """A queue with its counts."""

    queue: Queue
    counts: QueueCounts


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

    def put_queue(self, definition: QueueDefinition) -> QueueState:
        """Create a queue, or change what it asks; decisions that were made do not change.

        Raises:
            InvalidRequest: when two choices cannot be distinguished.
            Conflict: when a decision that was made is no longer a choice, or an item has more decisions than slots.
        """
        validate_choices(definition.choices)
        name = definition.name
        session, project = self.unit.session, self.unit.caller.project
        queue = store.find_queue(session, project, name, lock=True)
        if queue is None and not store.add_queue(session, project, definition, self.unit.clock()):
            queue = self.find(name, lock=True)  # another transaction has created it meanwhile
        if queue is not None:
            self._check_decided_items(queue, definition)
            store.update_queue(session, queue, definition)
        detail = {"decisions": [choice.value for choice in definition.choices], "slots": definition.slots}
        audit.record_change(self.unit, "queue.set", name, detail)
        return self.queue(name)

    def _check_decided_items(self, queue: Queue, definition: QueueDefinition) -> None:
        """Raise Conflict when decisions that were made contradict the new definition."""
        used, most = store.find_used_decisions(self.unit.session, queue)
        missing = used - {choice.value for choice in definition.choices}
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
        return self._state(self.find(name))

    def queues(self, limit: int, cursor: str | None) -> Page[QueueState]:
        """List queues by name."""
        rows = store.list_queues(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        page = build_page(rows, limit, lambda queue: queue.name)
        return Page([self._state(queue) for queue in page.items], page.next_cursor)

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

    def _state(self, queue: Queue) -> QueueState:
        return QueueState(queue, store.count_items(self.unit.session, queue, self.unit.caller.identities, self.unit.clock()))


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
    )


def _payload_key(payload: dict[str, Any]) -> str | None:
    variables = payload.get("input")
    return input_key(variables) if isinstance(variables, dict) else None
