"""The rules of decisions: what a reviewer may submit for a claimed item, and how they undo it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promptuary.access import audit
from promptuary.access.contents import read_without_response
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.review.claims import store
from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.claims.service import ClaimService, check_nonce
from promptuary.review.labels import store as decision_store
from promptuary.review.labels.decision import NewDecision
from promptuary.review.labels.preference import to_stored
from promptuary.review.labels.service import DecisionService, OwnDecision
from promptuary.review.labels.values import filled_values, judged_output, label_errors
from promptuary.review.queues.choice import SAVED
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import QueueService
from promptuary.review.tables import ClaimState


class ItemNotSeen(Conflict):
    """A decision on an item whose output has not been in view."""

    code = "item_not_seen"


@dataclass(frozen=True)
class Submission:
    """What a reviewer submits.

    Attributes:
        nonce: the claim's nonce; it proves that the page displayed this claim.
        seen_at: when the output had been in view; None where it has not.
        decision: one of the queue's choices; None or `saved` where it has none.
        labels: values by the names of the label schema's fields.
        comment: free text.
        correction: the output as it should be.
    """

    nonce: str
    seen_at: datetime | None
    decision: str | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    correction: str | None = None


@dataclass(frozen=True)
class SubmissionService:
    """Decisions on claimed items, on behalf of a caller."""

    unit: UnitOfWork

    def submit(self, claim_id: str, submission: Submission) -> OwnDecision:
        """Submit the decision on the claimed item, once.

        Raises:
            NotFound: when the caller has no such claim.
            ItemNotSeen: without the time at which the output had been in view.
            Conflict: without a live lease, with another nonce, or when the item's slots are full.
            InvalidRequest: for a decision that the queue does not have, and for labels that do not match its schema.
        """
        claim, queue = ClaimService(self.unit).lock_claim(claim_id)
        check_nonce(claim, submission.nonce)
        if submission.seen_at is None:
            raise ItemNotSeen("the output has not been in view; show it from its beginning to its end, then decide")
        with read_without_response(self.unit.session):
            new_decision = self._checked(queue, claim, submission, submission.seen_at)
        decision = decision_store.add_decision(self.unit.session, queue, claim.id, claim.item, new_decision)
        if decision is None:
            raise Conflict("the item has all its decisions already; claim the next one")
        store.end_claim(self.unit.session, claim, ClaimState.SUBMITTED)
        detail = {"queue": queue.name, "claim": claim_id, "decision": decision.decision}
        audit.record_change(self.unit, "item.decided", claim.item.id, detail)
        return DecisionService(self.unit).as_own(decision, queue)

    def undo(self, decision_id: int) -> Claim:
        """Undo one of the caller's decisions, and return a new claim on its item, whose draft is what they had entered.

        The decision is kept and marked; it no longer counts, and the item's slot is free for the new claim. Where the caller
        has two items of the queue already, the newer one is released.

        Raises:
            NotFound: when the caller has made no such decision.
            Conflict: when it was undone already, the queue's time for it is over, or others rely on it.
        """
        queue = QueueService(self.unit).find(self._own_decision(decision_id)[1], lock=True)
        decision, _ = self._own_decision(decision_id)
        own = DecisionService(self.unit).as_own(decision, queue)
        now = self.unit.clock()
        if decision_store.is_undone(self.unit.session, decision_id):
            raise Conflict("this decision was undone already")
        if now >= own.undo_until:
            raise Conflict(f"a decision of this queue can be undone for {queue.undo_seconds} seconds, which are over")
        if decision_store.is_relied_on(self.unit.session, decision):
            raise Conflict("this decision was adjudicated or accepted as gold meanwhile, and stays as it is")
        claims = ClaimService(self.unit)
        claims.make_room(queue)
        decision_store.undo_decision(self.unit.session, decision, now)
        detail = {"queue": queue.name, "claim": decision.claim, "decision": decision.decision}
        audit.record_change(self.unit, "item.undone", decision.item, detail)
        draft = Draft(decision.decision, own.labels, decision.comment, decision.correction)
        return claims.add_claim(queue, claims.own_claim(decision.claim).item, draft=draft)

    def _own_decision(self, decision_id: int) -> Any:
        row = decision_store.find_decision(self.unit.session, self.unit.caller.project, decision_id)
        if row is None or row[0].reviewer_id not in self.unit.caller.identities:
            raise NotFound(f"you have made no decision '{decision_id}'")
        return row

    def _checked(self, queue: Queue, claim: Claim, submission: Submission, seen_at: datetime) -> NewDecision:
        """Return what is stored of a submission.

        Raises:
            InvalidRequest: with every error.
        """
        output = claim.item.payload.get("output")
        judged = judged_output(claim.item.payload, is_pair=claim.item.pair_sides is not None)
        values = [choice.value for choice in queue.choices] or [SAVED]
        decision = submission.decision if queue.choices else submission.decision or SAVED
        errors = label_errors(queue.schema, submission.labels, judged)
        if decision is None or decision not in values:
            errors.insert(0, FieldError("decision", f"is none of this queue's decisions: {', '.join(values)}"))
        correction = None if submission.correction == output else submission.correction
        if correction is not None and judged.length is None:
            errors.append(FieldError("correction", "the item has no text output to correct"))
        if errors or decision is None:
            raise InvalidRequest("the decision is not valid", errors)
        return NewDecision(
            reviewer=self.unit.caller.identity,
            decision=decision,
            comment=submission.comment,
            labels=to_stored(queue.schema, filled_values(submission.labels), claim.swapped),
            correction=correction,
            schema_number=queue.schema_number,
            swapped=claim.swapped,
            seen_at=seen_at,
            at=self.unit.clock(),
        )
