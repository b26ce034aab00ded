"""Decisions as domain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.access.contents import TrackedContent


@dataclass(frozen=True)
class NewDecision:
    """A decision to store: who decided what, and when.

    Attributes:
        reviewer: the identity of who decides.
        decision: one of the queue's choices; `saved` where it has none.
        comment: free text.
        labels: the values of the label schema's fields; a preference is `first`, `second` or `tie`.
        correction: the output as it should be; None where the reviewer changed nothing.
        schema_number: the number of the label schema that was in force.
        swapped: whether the second output of a pair was on the left; None for an item that is no pair.
        seen_at: when the output had been in view, by the reviewer's clock.
        at: when it was decided.
    """

    reviewer: str
    decision: str
    comment: str
    labels: dict[str, Any]
    correction: str | None
    schema_number: int
    swapped: bool | None
    seen_at: datetime
    at: datetime


@dataclass(frozen=True)
class Decision:
    """A reviewer's decision, with its item. `reviewer` is the name that people see, `reviewer_id` what the row contains.

    The other fields mean the same as those of `NewDecision`. `seen_at` is None for decisions of releases before 0.5.0.
    """

    id: int
    claim: str
    item: str
    source: str
    probability: float
    selection: str | None
    stored_payload: TrackedContent[dict[str, Any]]
    reviewer: str
    reviewer_id: str
    decision: str
    comment: str
    at: datetime
    labels: dict[str, Any]
    correction: str | None
    schema_number: int
    swapped: bool | None
    seen_at: datetime | None
    pair_sides: dict[str, Any] | None

    @property
    def payload(self) -> dict[str, Any]:
        """What the reviewer saw; reading it is noted as for `Item`."""
        return self.stored_payload.read()


@dataclass(frozen=True)
class OthersLabels:
    """What another reviewer decided about an item, without their name."""

    decision: str
    labels: dict[str, Any]
    comment: str


@dataclass(frozen=True)
class OwnDecisions:
    """Which decisions to list: those of a reviewer, by the identities that rows may contain, in one queue or in all."""

    project: int
    reviewer: tuple[str, ...]
    queue: str | None
