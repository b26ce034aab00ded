"""The rules of claims: who may claim which item, for how long, and which decisions are valid."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.review.claims import store
from promptuary.review.claims.store import Claim
from promptuary.review.labels import store as decision_store
from promptuary.review.labels.store import Decision, NewDecision
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import QueueService
from promptuary.review.tables import ClaimState


@dataclass(frozen=True)
class ClaimResult:
    """A claim, and whether this call created it; False for the reviewer's live claim."""

    claim: Claim
    created: bool


@dataclass(frozen=True)
class ClaimService:
    """Claims and decisions, on behalf of a caller; for the order of locks see `QueueService`."""

    unit: UnitOfWork

    def claim(self, name: str) -> ClaimResult | None:
        """Claim the next item for the caller, or extend their live claim; return None when no item is available to them.

        Raises:
            NotFound: when there is no such queue.
        """
        queue, reviewer = QueueService(self.unit).find(name, lock=True), self.unit.caller
        now = self.unit.clock()
        until = now + timedelta(seconds=self.unit.settings.claim_seconds)
        live_claim = store.find_live_claim(self.unit.session, queue, reviewer.identities, now)
        if live_claim is not None:
            return ClaimResult(store.extend_lease(self.unit.session, live_claim, until), created=False)
        item = store.find_next_item(self.unit.session, queue, reviewer.identities, now)
        if item is None:
            return None
        claim = Claim(uuid.uuid4().hex, name, item, secrets.token_urlsafe(16), ClaimState.LEASED, until)
        store.add_claim(self.unit.session, claim, reviewer.identity, now)
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
        stored_decision = decision_store.add_decision(self.unit.session, claim.id, claim.item, queue.slots, new_decision)
        if stored_decision is None:
            raise Conflict("the item has all its decisions already; claim the next one")
        store.end_claim(self.unit.session, claim, ClaimState.SUBMITTED)
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
        return store.extend_lease(self.unit.session, claim, self.unit.clock() + timedelta(seconds=seconds))

    def _claim(self, claim_id: str) -> Claim:
        claim = store.find_claim(self.unit.session, self.unit.caller.project, self.unit.caller.identities, claim_id)
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
        queue = QueueService(self.unit).find(self._claim(claim_id).queue, lock=True)
        return self._require_live(self._claim(claim_id)), queue

    def _end(self, claim_id: str, state: ClaimState) -> None:
        claim, queue = self._lock_claim(claim_id)
        store.end_claim(self.unit.session, claim, state)
        audit.record_change(self.unit, f"item.{state}", claim.item.id, {"queue": queue.name, "claim": claim_id})
