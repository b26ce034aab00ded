"""The rules of claims: who may claim which item, and for how long."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, Forbidden, InvalidRequest, NotFound
from promptuary.review.claims import store
from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.pairs.sides import assign_sides
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.service import QueueService, is_named
from promptuary.review.tables import ClaimState

LIVE_CLAIMS = 2
"""How many items of a queue one reviewer has at the same time: the one on the screen, and the next one."""


@dataclass(frozen=True)
class ClaimResult:
    """A claim, and whether this call created it; False for the reviewer's live claim."""

    claim: Claim
    created: bool


@dataclass(frozen=True)
class ClaimService:
    """Claims, on behalf of a caller; for the order of locks see `QueueService`."""

    unit: UnitOfWork

    def claim(self, name: str, beside: str | None = None) -> ClaimResult | None:
        """Claim the next item for the caller, or extend their live claim; return None when no item is available to them.

        Args:
            name: the queue's name.
            beside: the id of a live claim of the caller. One more item is leased beside it; the caller's other live claim is
                returned where there is one, so that nobody has more than two.

        Raises:
            NotFound: when there is no such queue, or the caller has no claim `beside`.
            Forbidden: when the queue names its reviewers, and the caller is none of them.
            Conflict: when `beside` is no live claim in this queue.
        """
        queue, caller = QueueService(self.unit).find(name, lock=True), self.unit.caller
        if not is_named(queue.reviewers, caller):
            raise Forbidden(f"the queue '{name}' has named reviewers, and you are none of them; ask its lead")
        live_claims = store.list_live_claims(self.unit.session, queue, caller.identities, self.unit.clock())
        if beside is not None:
            first = self.require_live(self.own_claim(beside))
            if first.queue != name:
                raise Conflict(f"the claim '{beside}' is of the queue '{first.queue}'; claim beside it there")
            live_claims = [claim for claim in live_claims if claim.id != beside]
        if live_claims:
            return ClaimResult(store.extend_lease(self.unit.session, live_claims[0], self.lease_end()), created=False)
        item = store.find_next_item(self.unit.session, queue, caller.identities, self.unit.clock())
        return None if item is None else ClaimResult(self.add_claim(queue, item, beside=beside), created=True)

    def add_claim(self, queue: Queue, item: Item, *, beside: str | None = None, draft: Draft | None = None) -> Claim:
        """Lease an item to the caller, with what they had entered for it before; the queue must be locked."""
        session, caller = self.unit.session, self.unit.caller
        claim = Claim(
            id=uuid.uuid4().hex,
            queue=queue.name,
            item=item,
            nonce=secrets.token_urlsafe(16),
            state=ClaimState.LEASED,
            lease_until=self.lease_end(),
            created_at=self.unit.clock(),
            beside=beside,
            draft=draft or store.find_draft(session, item.id, caller.identities),
            swapped=assign_sides(self.unit, queue, item),
        )
        store.add_claim(session, claim, caller.identity)
        audit.record_change(self.unit, "item.claimed", item.id, {"queue": queue.name, "claim": claim.id})
        return claim

    def live_claim(self, claim_id: str) -> Claim:
        """Return one of the caller's live claims.

        Raises:
            NotFound: when the caller has no such claim; another reviewer's claim is not revealed.
            Conflict: when its lease has expired, or it was decided, skipped, deferred or released.
        """
        return self.require_live(self.own_claim(claim_id))

    def save_draft(self, claim_id: str, nonce: str, draft: Draft) -> None:
        """Store what the reviewer has entered so far, and extend the lease. Raises the errors of `live_claim`.

        Raises:
            Conflict: with another claim's nonce, too.
        """
        claim, _ = self.lock_claim(claim_id)
        check_nonce(claim, nonce)
        store.store_draft(self.unit.session, claim, draft, self.unit.clock())
        store.extend_lease(self.unit.session, claim, self.lease_end())

    def skip(self, claim_id: str) -> None:
        """Skip the item; this reviewer gets it again when no other is left. Raises the errors of `live_claim`."""
        self._end(claim_id, ClaimState.SKIPPED)

    def defer(self, claim_id: str, until: datetime | None = None) -> None:
        """Put the item off: this reviewer gets it again after all others, or after a time. Raises the errors of `live_claim`.

        Raises:
            InvalidRequest: for a time that is not in the future.
        """
        if until is not None and until <= self.unit.clock():
            raise InvalidRequest("the item cannot be deferred", [FieldError("until", "must be in the future")])
        self._end(claim_id, ClaimState.DEFERRED, until)

    def release(self, claim_id: str) -> None:
        """Release the item, as if it had never been claimed. Raises the errors of `live_claim`."""
        self._end(claim_id, ClaimState.RELEASED)

    def release_all(self) -> None:
        """Release the caller's live claims in all queues of the project.

        All queues are locked, in the order of their names, before the first audit entry locks the project.
        """
        session, caller, now = self.unit.session, self.unit.caller, self.unit.clock()
        names = store.list_claimed_queues(session, caller.project, caller.identities, now)
        for queue in [QueueService(self.unit).find(name, lock=True) for name in names]:
            for claim in store.list_live_claims(session, queue, caller.identities, now):
                self._record_end(claim, queue, ClaimState.RELEASED)

    def heartbeat(self, claim_id: str) -> Claim:
        """Extend the lease from now, without an audit entry, since nothing is decided. Raises the errors of `live_claim`."""
        claim, _ = self.lock_claim(claim_id)
        return store.extend_lease(self.unit.session, claim, self.lease_end())

    def lease_end(self) -> datetime:
        """Return when a lease ends that begins now."""
        return self.unit.clock() + timedelta(seconds=self.unit.settings.claim_seconds)

    def own_claim(self, claim_id: str) -> Claim:
        """Return one of the caller's claims in any state.

        Raises:
            NotFound: when the caller has no such claim.
        """
        claim = store.find_claim(self.unit.session, self.unit.caller.project, self.unit.caller.identities, claim_id)
        if claim is None:
            raise NotFound(f"you have no claim '{claim_id}'")
        return claim

    def require_live(self, claim: Claim) -> Claim:
        """Return a claim if its lease is valid.

        Raises:
            Conflict: when it is not.
        """
        if claim.state is not ClaimState.LEASED:
            raise Conflict(f"this claim was {claim.state} already; claim the next item")
        if not claim.is_live(self.unit.clock()):
            raise Conflict("this claim's lease has ended, and another reviewer may have claimed the item; claim the next item")
        return claim

    def lock_claim(self, claim_id: str) -> tuple[Claim, Queue]:
        """Lock the claim's queue, then read the claim, so that its state does not change until the commit."""
        queue = QueueService(self.unit).find(self.own_claim(claim_id).queue, lock=True)
        return self.require_live(self.own_claim(claim_id)), queue

    def make_room(self, queue: Queue) -> None:
        """Release the caller's newest claims in a locked queue until they may have one more; a draft stays for later."""
        live_claims = store.list_live_claims(self.unit.session, queue, self.unit.caller.identities, self.unit.clock())
        for claim in live_claims[LIVE_CLAIMS - 1 :]:
            self._record_end(claim, queue, ClaimState.RELEASED)

    def _end(self, claim_id: str, state: ClaimState, until: datetime | None = None) -> None:
        claim, queue = self.lock_claim(claim_id)
        self._record_end(claim, queue, state, until)

    def _record_end(self, claim: Claim, queue: Queue, state: ClaimState, until: datetime | None = None) -> None:
        store.end_claim(self.unit.session, claim, state, until)
        audit.record_change(self.unit, f"item.{state}", claim.item.id, {"queue": queue.name, "claim": claim.id})


def check_nonce(claim: Claim, nonce: str) -> None:
    """Check that a page displayed a claim.

    Raises:
        Conflict: when the nonce is another one's.
    """
    if not secrets.compare_digest(nonce.encode(), claim.nonce.encode()):
        raise Conflict("the nonce is not this claim's: another item was displayed; load the claim again, then decide")
