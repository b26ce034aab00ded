"""The rules of the review: who may have which item, for how long, and what counts as a decision."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.review import claim_store, store
from promptuary.review.choice import DEFAULT_CHOICES, Choice, validate_choices
from promptuary.review.store import Claim, ClaimState, Decision, Item, Queue, QueueCounts


@dataclass(frozen=True)
class QueueState:
    """A queue with its counts."""

    queue: Queue
    counts: QueueCounts


@dataclass(frozen=True)
class NewItem:
    """Something to put into a queue. `source` says where it comes from, and comes into a queue once.

    `probability` is the chance with which it was drawn, in (0, 1], so that figures can be weighted back; 1 when everything
    was taken.
    """

    source: str
    payload: dict[str, Any]
    probability: float = 1.0


@dataclass(frozen=True)
class AddedItems:
    """How many items came in, and how many were there already."""

    added: int
    present: int


@dataclass(frozen=True)
class ClaimResult:
    """A claim, and whether this call made it; False for one that the reviewer held already."""

    claim: Claim
    created: bool


@dataclass(frozen=True)
class ReviewService:
    """Queues, claims and decisions, on behalf of a caller.

    Whatever claims or decides in a queue holds the queue's row until it commits. One at a time, then, sees how many slots an
    item has left, on SQLite and on PostgreSQL alike, and one reviewer in two windows gets one item.
    """

    unit: UnitOfWork

    def put_queue(
        self, name: str, instructions: str = "", choices: Sequence[Choice] = DEFAULT_CHOICES, slots: int = 1
    ) -> QueueState:
        """Make a queue, or change what it asks; what was decided stays as it is.

        Args:
            name: the queue.
            instructions: what reviewers read beside every item.
            choices: the decisions they may make.
            slots: how many reviewers decide each item.

        Raises:
            InvalidRequest: for choices that cannot be told apart.
            Conflict: when a decision would go that was made, or an item would have more decisions than slots.
        """
        choices = validate_choices(choices)
        session, project = self.unit.session, self.unit.caller.project
        detail = {"decisions": [choice.value for choice in choices], "slots": slots}
        known = store.find_queue(session, project, name, lock=True)  # the queue before the project, as whoever claims
        audit.record_change(
            self.unit, "queue.set", name, detail
        )  # holds the project, so that two who make it follow each other
        known = known or store.find_queue(session, project, name, lock=True)
        if known is not None:
            used, most = store.find_used_decisions(session, known)
            gone = used - {choice.value for choice in choices}
            if gone:
                raise Conflict(f"the queue '{name}' has decisions '{', '.join(sorted(gone))}'; keep them, or open a new queue")
            if slots < most:
                raise Conflict(f"the queue '{name}' has items with {most} decisions; keep at least {most} slots")
        store.put_queue(session, project, name, instructions, choices, slots, self.unit.clock())
        return self.queue(name)

    def queue(self, name: str) -> QueueState:
        """Give a queue with its counts.

        Raises:
            NotFound: when there is none.
        """
        return self._state(self._queue(name))

    def queues(self, limit: int, cursor: str | None) -> Page[QueueState]:
        """List queues by name."""
        rows = store.list_queues(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        found = build_page(rows, limit, lambda queue: queue.name)
        return Page([self._state(queue) for queue in found.items], found.next_cursor)

    def add_items(self, name: str, items: Sequence[NewItem]) -> AddedItems:
        """Put items into a queue, behind those that are there; a source that is there already is left as it is.

        Raises:
            NotFound: when there is no such queue.
        """
        queue = self._queue(name, lock=True)
        known = store.find_known_sources(self.unit.session, queue, [item.source for item in items])
        new: dict[str, Item] = {}
        for item in items:
            if item.source not in known and item.source not in new:
                new[item.source] = Item(uuid.uuid4().hex, item.source, item.probability, item.payload, 0)
        if new:
            store.add_items(self.unit.session, queue, new.values(), self.unit.clock())
            audit.record_change(self.unit, "queue.filled", name, {"added": len(new)})
        return AddedItems(len(new), len(items) - len(new))

    def claim(self, name: str) -> ClaimResult | None:
        """Lease the next item to the caller, or give the one they hold; None when there is nothing they may have now.

        Raises:
            NotFound: when there is no such queue.
        """
        queue, reviewer = self._queue(name, lock=True), self.unit.caller.actor
        now = self.unit.clock()
        until = now + timedelta(seconds=self.unit.settings.claim_seconds)
        held = claim_store.find_live_claim(self.unit.session, queue, reviewer, now)
        if held is not None:
            return ClaimResult(claim_store.extend_lease(self.unit.session, held, until), created=False)
        item = claim_store.find_next_item(self.unit.session, queue, reviewer, now)
        if item is None:
            return None
        claim = Claim(uuid.uuid4().hex, name, item, secrets.token_urlsafe(16), ClaimState.LEASED, until)
        claim_store.add_claim(self.unit.session, claim, reviewer, now)
        audit.record_change(self.unit, "item.claimed", item.id, {"queue": name, "claim": claim.id})
        return ClaimResult(claim, created=True)

    def held(self, id: str) -> Claim:  # noqa: A002 - the word of the API
        """Give one of the caller's claims, as long as it is live.

        Raises:
            NotFound: when the caller has no such claim; another reviewer's is not told of.
            Conflict: when its lease has ended, or it was decided, skipped or released.
        """
        return self._live(self._claim(id))

    def submit(self, id: str, nonce: str, decision: str, comment: str = "") -> Decision:  # noqa: A002
        """Decide the claimed item, once.

        Args:
            id: the claim.
            nonce: from the claim's answer; it shows that this claim is what the reviewer was looking at.
            decision: one of the queue's.
            comment: whatever the reviewer wants to add.

        Raises:
            NotFound: when the caller has no such claim.
            Conflict: without a live lease, with another nonce, or when the item's slots are full.
            InvalidRequest: for a decision that the queue does not have.
        """
        claim, queue = self._turn(id)
        if not secrets.compare_digest(nonce.encode(), claim.nonce.encode()):
            raise Conflict("this is not the item that was shown; show the claim again, then decide")
        values = [choice.value for choice in queue.choices]
        if decision not in values:
            fault = FieldError("decision", f"is none of this queue's: {', '.join(values)}")
            raise InvalidRequest("the decision cannot be taken", [fault])
        reviewer, now = self.unit.caller.actor, self.unit.clock()
        made = store.add_decision(self.unit.session, claim, queue.slots, reviewer, decision, comment, now)
        if made is None:
            raise Conflict("the item has all its decisions already; claim the next one")
        claim_store.end_claim(self.unit.session, claim, ClaimState.SUBMITTED)
        audit.record_change(self.unit, "item.decided", claim.item.id, {"queue": queue.name, "claim": id, "decision": decision})
        return made

    def skip(self, id: str) -> None:  # noqa: A002
        """Leave the item to others; it comes back to this reviewer when nothing else is left. Raises as `held`."""
        self._end(id, ClaimState.SKIPPED)

    def release(self, id: str) -> None:  # noqa: A002
        """Give the item back as if it had never been taken. Raises as `held`."""
        self._end(id, ClaimState.RELEASED)

    def heartbeat(self, id: str) -> Claim:  # noqa: A002
        """Let the lease run anew from now. Nothing is decided by it, so the audit does not hold it. Raises as `held`."""
        claim, _ = self._turn(id)
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
        found = store.find_queue(self.unit.session, self.unit.caller.project, name, lock=lock)
        if found is None:
            raise NotFound(f"there is no queue '{name}'")
        return found

    def _state(self, queue: Queue) -> QueueState:
        return QueueState(queue, store.count_items(self.unit.session, queue, self.unit.caller.actor, self.unit.clock()))

    def _claim(self, id: str) -> Claim:  # noqa: A002
        found = claim_store.find_claim(self.unit.session, self.unit.caller.project, self.unit.caller.actor, id)
        if found is None:
            raise NotFound(f"you have no claim '{id}'")
        return found

    def _live(self, claim: Claim) -> Claim:
        if claim.state is not ClaimState.LEASED:
            raise Conflict(f"this claim was {claim.state} already; claim the next item")
        if not claim.live(self.unit.clock()):
            raise Conflict("this claim's lease has ended, and the item may be with somebody else; claim the next item")
        return claim

    def _turn(self, id: str) -> tuple[Claim, Queue]:  # noqa: A002
        """Hold the claim's queue, then read the claim: what it says now stays so until the commit."""
        queue = self._queue(self._claim(id).queue, lock=True)
        return self._live(self._claim(id)), queue

    def _end(self, id: str, state: ClaimState) -> None:  # noqa: A002
        claim, queue = self._turn(id)
        claim_store.end_claim(self.unit.session, claim, state)
        audit.record_change(self.unit, f"item.{state}", claim.item.id, {"queue": queue.name, "claim": id})
