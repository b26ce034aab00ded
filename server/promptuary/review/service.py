"""The rules of review queues: who may claim which item, for how long, and which decisions are valid."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from promptuary.access import audit
from promptuary.access.contents import TrackedContent
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.review import claim_store, store
from promptuary.review.choice import DEFAULT_CHOICES, Choice, validate_choices
from promptuary.review.store import Claim, ClaimState, Decision, Item, NewDecision, Queue, QueueCounts, QueueDefinition


@dataclass(frozen=True)
class QueueState:
    """A queue with its counts."""

    queue: Queue
    counts: QueueCounts


@dataclass(frozen=True)
class NewItem:
    """An item to add to a queue. `source` identifies its origin and is unique in the queue.

    `probability` is its inclusion probability in the sample, in (0, 1], so that estimates can be weighted; 1 when
    everything was included.
    """

    source: str
    payload: dict[str, Any]
    probability: float = 1.0


@dataclass(frozen=True)
class AddedItems:
    """How many items were added, and how many were in the queue already."""

    added: int
    present: int


@dataclass(frozen=True)
class ClaimResult:
    """A claim, and whether this call created it; False for the reviewer's live claim."""

    claim: Claim
    created: bool


@dataclass(frozen=True)
class ReviewService:
    """Queues, claims and decisions, on behalf of a caller.

    Every transaction that claims, decides or changes a queue locks the queue's row first, and the project's row (by its
    audit entry) last. So transactions see an item's free slots one after another, on SQLite and on PostgreSQL, a reviewer
    with two windows gets one item, and no two transactions wait for each other.
    """

    unit: UnitOfWork

    def put_queue(
        self, name: str, instructions: str = "", choices: Sequence[Choice] = DEFAULT_CHOICES, slots: int = 1
    ) -> QueueState:
        """Create a queue, or change its instructions, choices and slots; decisions that were made do not change.

        Args:
            name: the queue's name.
            instructions: the text that reviewers read beside every item.
            choices: the decisions that reviewers may make.
            slots: how many reviewers decide each item.

        Raises:
            InvalidRequest: when two choices cannot be distinguished.
            Conflict: when a decision that was made is no longer a choice, or an item has more decisions than slots.
        """
        definition = QueueDefinition(name, instructions, validate_choices(choices), slots)
        session, project = self.unit.session, self.unit.caller.project
        queue = store.find_queue(session, project, name, lock=True)
        if queue is None and not store.add_queue(session, project, definition, self.unit.clock()):
            queue = self._queue(name, lock=True)  # another transaction has created it meanwhile
        if queue is not None:
            self._check_decided_items(queue, definition)
            store.update_queue(session, queue, definition)
        detail = {"decisions": [choice.value for choice in definition.choices], "slots": slots}
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
        return self._state(self._queue(name))

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
        queue = self._queue(name, lock=True)
        known = store.find_known_sources(self.unit.session, queue, [item.source for item in items])
        new: dict[str, Item] = {}
        for item in items:
            if item.source not in known and item.source not in new:
                new[item.source] = Item(uuid.uuid4().hex, item.source, item.probability, TrackedContent(item.payload), 0)
        if new:
            store.add_items(self.unit.session, queue, new.values(), self.unit.clock())
            audit.record_change(self.unit, "queue.filled", name, {"added": len(new)})
        return AddedItems(len(new), len(items) - len(new))

    def claim(self, name: str) -> ClaimResult | None:
        """Claim the next item for the caller, or extend their live claim; return None when no item is available to them.

        Raises:
            NotFound: when there is no such queue.
        """
        queue, reviewer = self._queue(name, lock=True), self.unit.caller
        now = self.unit.clock()
        until = now + timedelta(seconds=self.unit.settings.claim_seconds)
        live_claim = claim_store.find_live_claim(self.unit.session, queue, reviewer.identities, now)
        if live_claim is not None:
            return ClaimResult(claim_store.extend_lease(self.unit.session, live_claim, until), created=False)
        item = claim_store.find_next_item(self.unit.session, queue, reviewer.identities, now)
        if item is None:
            return None
        claim = Claim(uuid.uuid4().hex, name, item, secrets.token_urlsafe(16), ClaimState.LEASED, until)
        claim_store.add_claim(self.unit.session, claim, reviewer.identity, now)
        audit.record_change(self.unit, "item.claimed", item.id, {"queue": name, "claim": claim.id})
        return ClaimResult(claim, created=True)

    def live_claim(self, claim_id: str) -> Claim:
        """Return one of the caller's live claims.

        Raises:
            NotFound: when the caller has no such claim; another reviewer's claim is not revealed.
            Conflict: when its lease has expired, or it was decided, skipped or released.
        """
        return self._require_live(self._claim(claim_id))

    def submit(self, claim_id: str, nonce: str, decision: str, comment: str = "") -> Decision:
        """Submit the decision on the claimed item, once.

        Args:
            claim_id: the claim's id.
            nonce: the claim's nonce; it proves that the page displayed this claim to the reviewer.
            decision: one of the queue's choices.
            comment: the reviewer's free text.

        Raises:
            NotFound: when the caller has no such claim.
            Conflict: without a live lease, with another nonce, or when the item's slots are full.
            InvalidRequest: for a decision that the queue does not have.
        """
        claim, queue = self._lock_claim(claim_id)
        if not secrets.compare_digest(nonce.encode(), claim.nonce.encode()):
            raise Conflict("the nonce is not this claim's: another item was displayed; load the claim again, then decide")
        values = [choice.value for choice in queue.choices]
        if decision not in values:
            error = FieldError("decision", f"is none of this queue's decisions: {', '.join(values)}")
            raise InvalidRequest("the decision is not valid", [error])
        new_decision = NewDecision(self.unit.caller.identity, decision, comment, self.unit.clock())
        stored_decision = store.add_decision(self.unit.session, claim, queue.slots, new_decision)
        if stored_decision is None:
            raise Conflict("the item has all its decisions already; claim the next one")
        claim_store.end_claim(self.unit.session, claim, ClaimState.SUBMITTED)
        audit.record_change(
            self.unit, "item.decided", claim.item.id, {"queue": queue.name, "claim": claim_id, "decision": decision}
        )
        return stored_decision

    def skip(self, claim_id: str) -> None:
        """Skip the item; this reviewer gets it again when no other is left. Raises the errors of `live_claim`."""
        self._end(claim_id, ClaimState.SKIPPED)

    def release(self, claim_id: str) -> None:
        """Release the item, as if it had never been claimed. Raises the errors of `live_claim`."""
        self._end(claim_id, ClaimState.RELEASED)

    def heartbeat(self, claim_id: str) -> Claim:
        """Extend the lease from now, without an audit entry, since nothing is decided. Raises the errors of `live_claim`."""
        claim, _ = self._lock_claim(claim_id)
        seconds = self.unit.settings.claim_seconds
        return claim_store.extend_lease(self.unit.session, claim, self.unit.clock() + timedelta(seconds=seconds))

    def decisions(self, name: str, limit: int, cursor: str | None) -> Page[Decision]:
        """List a queue's decisions in the order in which they were made.

        Raises:
            NotFound: when there is no such queue.
        """
        rows = store.list_decisions(self.unit.session, self._queue(name), decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda decision: decision.id)

    def _queue(self, name: str, *, lock: bool = False) -> Queue:
        queue = store.find_queue(self.unit.session, self.unit.caller.project, name, lock=lock)
        if queue is None:
            raise NotFound(f"there is no queue '{name}'")
        return queue

    def _state(self, queue: Queue) -> QueueState:
        return QueueState(queue, store.count_items(self.unit.session, queue, self.unit.caller.identities, self.unit.clock()))

    def _claim(self, claim_id: str) -> Claim:
        claim = claim_store.find_claim(self.unit.session, self.unit.caller.project, self.unit.caller.identities, claim_id)
        if claim is None:
            raise NotFound(f"you have no claim '{claim_id}'")
        return claim

    def _require_live(self, claim: Claim) -> Claim:
        if claim.state is not ClaimState.LEASED:
            raise Conflict(f"this claim was {claim.state} already; claim the next item")
        if not claim.is_live(self.unit.clock()):
            raise Conflict("this claim's lease has ended, and another reviewer may have claimed the item; claim the next item")
        return claim

    def _lock_claim(self, claim_id: str) -> tuple[Claim, Queue]:
        """Lock the claim's queue, then read the claim, so that its state does not change until the commit."""
        queue = self._queue(self._claim(claim_id).queue, lock=True)
        return self._require_live(self._claim(claim_id)), queue

    def _end(self, claim_id: str, state: ClaimState) -> None:
        claim, queue = self._lock_claim(claim_id)
        claim_store.end_claim(self.unit.session, claim, state)
        audit.record_change(self.unit, f"item.{state}", claim.item.id, {"queue": queue.name, "claim": claim_id})
