"""Claims as domain values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promptuary.review.queues.queue import Item
from promptuary.review.tables import ClaimState


@dataclass(frozen=True)
class Draft:
    """What a reviewer has entered for an item and not sent; none of it is checked before the decision."""

    decision: str | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    correction: str | None = None


@dataclass(frozen=True)
class Claim:
    """An item leased to one reviewer; it does not contain the decisions of others.

    `beside` is the claim beside which the reviewer got this one. `swapped` is whether they see the second output of a pair on
    the left, None for an item that is no pair.
    """

    id: str
    queue: str
    item: Item
    nonce: str
    state: ClaimState
    lease_until: datetime
    created_at: datetime
    beside: str | None = None
    draft: Draft | None = None
    swapped: bool | None = None

    def is_live(self, now: datetime) -> bool:
        """Return whether the lease is still valid."""
        return self.state is ClaimState.LEASED and now < self.lease_until
