"""Wire models of the routes of claims."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel, Timestamp
from promptuary.prompt.name import Name
from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.claims.submission import Submission
from promptuary.review.claims.view import show_claim

CORRECTION_LIMIT = 200_000
Nonce = Annotated[str, Field(min_length=1, max_length=200)]
Comment = Annotated[str, Field(max_length=10_000)]
Correction = Annotated[str, Field(max_length=CORRECTION_LIMIT)]
Labels = Annotated[dict[str, Any], Field(max_length=100, default_factory=dict)]


class NewClaim(RequestModel):
    """Which item to claim: the next one, or one more beside a live claim."""

    beside: NonEmptyText | None = None


class DraftOut(ResponseModel):
    """What the reviewer has entered and not sent."""

    decision: str | None
    labels: dict[str, Any]
    comment: str
    correction: str | None


class ClaimedItem(ResponseModel):
    """The item of a claim, as its reviewer sees it; `sides` are the outputs of a pair, `{left, right}`.

    What the queue withholds is not in it, and `source` is the item's id where the source would show it.
    """

    id: str
    source: str
    payload: dict[str, Any]
    sides: dict[str, Any] | None


class ClaimOut(ResponseModel):
    """A claim; the decision sends `nonce` back, which proves that the item was displayed."""

    id: str
    queue: Name
    nonce: str
    lease_until: datetime
    item: ClaimedItem
    draft: DraftOut | None

    @classmethod
    def of(cls, claim: Claim) -> "ClaimOut":
        """Build the wire model from the domain value."""
        return cls.model_validate(show_claim(claim))


class NewDraft(RequestModel):
    """What a reviewer has entered so far; nothing but its size is checked before the decision."""

    nonce: Nonce
    decision: NonEmptyText | None = None
    labels: Labels
    comment: Comment = ""
    correction: Correction | None = None

    def draft(self) -> Draft:
        """Return the domain value."""
        return Draft(self.decision, self.labels, self.comment, self.correction)


class NewSubmission(NewDraft):
    """A reviewer's decision on a claimed item; `seen_at` is when its output had been in view."""

    seen_at: Timestamp | None = None

    def submission(self) -> Submission:
        """Return the domain value."""
        return Submission(self.nonce, self.seen_at, self.decision, self.labels, self.comment, self.correction)


class Deferral(RequestModel):
    """Until when an item is put off; without a time, until no other item is left."""

    until: Timestamp | None = None


class HeartbeatOut(ResponseModel):
    """The new end of the lease."""

    lease_until: datetime
