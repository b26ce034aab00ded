"""Many reviewers at once: no item comes to one person twice, and none has more people than slots."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from factories.claimers import ClaimedItem, named, review_at_once

CLAIMERS, ITEMS, SLOTS = 12, 24, 2


@dataclass(frozen=True)
class ServiceReviewer:
    """A reviewer whose calls are transactions on the services."""

    name: str
    reviews_as: Callable[[str], Any]

    def claim(self, beside: str | None) -> ClaimedItem | None:
        with self.reviews_as(self.name) as reviews:
            result = reviews.claims.claim("triage", beside)
        return None if result is None else _claimed(result.claim)

    def submit(self, claim: ClaimedItem) -> int:
        with self.reviews_as(self.name) as reviews:
            return int(reviews.submit(claim.id, claim.nonce).id)

    def end(self, claim: ClaimedItem, action: str) -> None:
        with self.reviews_as(self.name) as reviews:
            getattr(reviews.claims, action)(claim.id)

    def undo(self, decision: int) -> ClaimedItem:
        with self.reviews_as(self.name) as reviews:
            return _claimed(reviews.submissions.undo(decision))


def _claimed(claim: Any) -> ClaimedItem:
    return ClaimedItem(claim.id, claim.nonce, claim.item.id)


def test_claimers_at_once_never_have_a_third_slot_or_an_item_twice(
    database: Any, reviews_as: Any, create_filled_queue: Callable[..., None]
) -> None:
    create_filled_queue("triage", ITEMS, slots=SLOTS)
    record = review_at_once(named(CLAIMERS, lambda name: ServiceReviewer(name, reviews_as)), SLOTS)
    assert record.violations == []
    assert record.undone > 0
    with reviews_as("author") as reviews:
        decisions = reviews.decisions.decisions("triage", 1000, None).items
        counts = reviews.queues.queue("triage").counts
    assert Counter(decision.item for decision in decisions) == record.slots_used
    assert set(record.slots_used.values()) == {SLOTS}
    assert (counts.items, counts.closed, counts.claimed) == (ITEMS, ITEMS, 0)
    assert len({(decision.item, decision.reviewer) for decision in decisions}) == ITEMS * SLOTS
