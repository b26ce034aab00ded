"""A claim as its reviewer sees it: without what could bias the decision, and a pair in this reviewer's order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.pairs.sides import left_and_right
from promptuary.review.queues.blindness import may_show_source, withhold, withhold_side


@dataclass(frozen=True)
class ShownItem:
    """An item before the decision. `source` is the item's id where the source would show what is withheld."""

    id: str
    source: str
    payload: dict[str, Any]
    sides: dict[str, Any] | None


@dataclass(frozen=True)
class ShownClaim:
    """A claim before the decision."""

    id: str
    queue: str
    nonce: str
    lease_until: datetime
    item: ShownItem
    draft: Draft | None


def show_claim(claim: Claim) -> ShownClaim:
    """Return a claim as its reviewer may see it; whether the item's labels are known is not part of it."""
    item = claim.item
    payload = item.payload
    sides = None
    if item.pair_sides is not None:
        in_order = left_and_right(item.pair_sides, bool(claim.swapped))
        sides = {side: withhold_side(body) for side, body in in_order.items()}
    source = item.source if sides is None and may_show_source(payload) else item.id
    visible_item = ShownItem(item.id, source, withhold(payload), sides)
    return ShownClaim(claim.id, claim.queue, claim.nonce, claim.lease_until, visible_item, claim.draft)
