"""Items of a queue with the labels of each reviewer, as the figures and the list of disagreements read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promptuary.review.agreement.label import PRIMARY, LabelDefinition, Level, comparable


@dataclass(frozen=True)
class ReviewerLabels:
    """What one reviewer, named by their identity, decided on an item.

    `offered` has the fields of the schema under which they decided that mean something when they are left empty.
    """

    decision_id: int
    reviewer: str
    decision: str
    labels: Mapping[str, Any]
    comment: str
    schema_number: int
    at: datetime
    offered: frozenset[str] = frozenset()
    correction: str | None = None

    def value_of(self, label: str) -> Any:
        """Return the value of a label; None where the reviewer gave none, an empty list where that is a label, too."""
        if label == PRIMARY:
            return self.decision
        return self.labels.get(label, [] if label in self.offered else None)


@dataclass(frozen=True)
class LabelledItem:
    """An item with the labels that reviewers gave to it.

    Attributes:
        id: the item's id.
        source: where it comes from.
        slots_left: how many decisions it lacks.
        reviews: one a reviewer, in the order in which they were made.
        gold: the known value of each label, where there is one.
        length: how many characters the output has; 0 where nobody needs it.
    """

    id: str
    source: str
    slots_left: int
    reviews: tuple[ReviewerLabels, ...]
    gold: Mapping[str, Any] = field(default_factory=dict)
    length: int = 0

    def differing(self, labels: Sequence[LabelDefinition]) -> list[str]:
        """Return the names of the labels to which reviewers gave different values; free text is not compared."""
        return [
            label.name
            for label in labels
            if label.level is not Level.NONE and len({comparable(value) for value in self._values(label.name)}) > 1
        ]

    def _values(self, label: str) -> list[Any]:
        values = [review.value_of(label) for review in self.reviews]
        return [value for value in values if value is not None]


def list_reviewers(items: Sequence[LabelledItem]) -> list[str]:
    """Return the identities of all who decided, in the order of their first decisions."""
    first: dict[str, int] = {}
    for item in items:
        for review in item.reviews:
            first[review.reviewer] = min(review.decision_id, first.get(review.reviewer, review.decision_id))
    return sorted(first, key=first.__getitem__)
