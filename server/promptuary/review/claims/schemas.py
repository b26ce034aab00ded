"""Wire models of the routes of claims."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.prompt.name import Name
from promptuary.review.claims.store import Claim


class ClaimedItem(ResponseModel):
    """The item of a claim, as its reviewer sees it."""

    id: str
    source: str
    payload: dict[str, Any]


class ClaimOut(ResponseModel):
    """A claim; the decision sends `nonce` back, which proves that the item was displayed."""

    id: str
    queue: Name
    nonce: str
    lease_until: datetime
    item: ClaimedItem

    @classmethod
    def of(cls, claim: Claim) -> "ClaimOut":
        """Build the wire model from the domain value."""
        return cls.model_validate(claim)


class Submission(RequestModel):
    """A reviewer's decision on a claimed item."""

    nonce: Annotated[str, Field(min_length=1, max_length=200)]
    decision: NonEmptyText
    comment: Annotated[str, Field(max_length=10_000)] = ""


class HeartbeatOut(ResponseModel):
    """The new end of the lease."""

    lease_until: datetime
