"""Wire models of a reviewer's own decisions."""

from datetime import datetime
from typing import Any

from promptuary.core.wire import ResponseModel
from promptuary.review.labels.service import OwnDecision


class OthersLabelsOut(ResponseModel):
    """What another reviewer decided, without their name."""

    decision: str
    labels: dict[str, Any]
    comment: str


class OwnDecisionOut(ResponseModel):
    """A decision as its reviewer sees it: a preference is the side that they saw, and `source` may be the item's id.

    `case` is the id of the item's case, and `beginning` how its input begins, or its output where it has none.

    `revealed` has the fields of the payload that the queue shows after the decision, and `others` what others decided; both
    are null while the decision can be undone.
    """

    id: int
    queue: str
    claim: str
    item: str
    source: str
    case: str | None
    beginning: str
    reviewer: str
    reviewer_id: str
    decision: str
    comment: str
    labels: dict[str, Any]
    correction: str | None
    schema_number: int
    at: datetime
    undo_until: datetime
    revealed: dict[str, Any] | None
    others: list[OthersLabelsOut] | None

    @classmethod
    def of(cls, own: OwnDecision) -> "OwnDecisionOut":
        """Build the wire model from the domain value."""
        decision = own.decision
        return cls(
            id=decision.id,
            queue=own.queue,
            claim=decision.claim,
            item=decision.item,
            source=own.source,
            case=own.case,
            beginning=own.beginning,
            reviewer=decision.reviewer,
            reviewer_id=decision.reviewer_id,
            decision=decision.decision,
            comment=decision.comment,
            labels=own.labels,
            correction=decision.correction,
            schema_number=decision.schema_number,
            at=decision.at,
            undo_until=own.undo_until,
            revealed=own.revealed,
            others=None if own.others is None else [OthersLabelsOut.model_validate(other) for other in own.others],
        )
