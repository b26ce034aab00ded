"""Wire models of corrections and gold cases."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.datasets.schemas import DatasetOut
from promptuary.review.gold.service import AcceptedGold
from promptuary.review.gold.store import GoldCase, OutputCorrection
from promptuary.review.labels.schemas import OthersLabelsOut
from promptuary.review.queues.item_title import case_of

DECISION_LIMIT = 1000
DecisionId = Annotated[int, Field(ge=1, lt=2**63)]


class NewGold(RequestModel):
    """The decisions whose corrections become gold cases, and why."""

    decisions: Annotated[list[DecisionId], Field(min_length=1, max_length=DECISION_LIMIT)]
    reason: Annotated[str, Field(max_length=10_000)] = ""


class GoldCaseOut(ResponseModel):
    """A gold case and where it comes from; `digest` is that of the version, or of the application, whose output it corrects."""

    dataset: str
    dataset_version: int
    case: str
    item: str
    decision: int | None
    reviewer_id: str
    prompt: str | None
    version: int | None
    digest: str | None
    accepted_by: str
    reason: str
    accepted_at: datetime

    @classmethod
    def of(cls, gold: GoldCase) -> Self:
        """Build the wire model from the domain value."""
        return cls(
            dataset=gold.dataset,
            dataset_version=gold.dataset_version,
            case=gold.case,
            item=gold.item,
            decision=gold.decision,
            reviewer_id=gold.reviewer,
            prompt=gold.prompt,
            version=gold.prompt_version,
            digest=gold.prompt_digest,
            accepted_by=gold.accepted_by,
            reason=gold.reason,
            accepted_at=gold.accepted_at,
        )


class AcceptedGoldOut(DatasetOut):
    """The dataset's new version, with its gold cases that this call accepted."""

    gold: list[GoldCaseOut]

    @classmethod
    def of_accepted(cls, accepted: AcceptedGold) -> Self:
        """Build the wire model from the domain value."""
        return cls.of(accepted.version, gold=[GoldCaseOut.of(case) for case in accepted.cases])


class CorrectionOut(ResponseModel):
    """An output that a reviewer has edited, and whether it is a gold case already.

    `expected` is the value that the correction replaces, `decided` the reviewer's decision, and `others` what others decided.
    """

    decision: int
    item: str
    case: str | None
    input: Any
    output: Any
    expected: Any
    correction: str | None
    decided: str
    comment: str
    reviewer: str
    reviewer_id: str
    at: datetime
    accepted: bool
    others: list[OthersLabelsOut]

    @classmethod
    def of(cls, correction: OutputCorrection) -> Self:
        """Build the wire model from the domain value."""
        payload = correction.item.payload
        return cls(
            decision=correction.decision,
            item=correction.item.id,
            case=case_of(payload),
            input=payload.get("input"),
            output=payload.get("output"),
            expected=payload.get("expected"),
            correction=correction.text,
            decided=correction.decided,
            comment=correction.comment,
            reviewer=correction.reviewer,
            reviewer_id=correction.reviewer_id,
            at=correction.at,
            accepted=correction.is_accepted,
            others=[OthersLabelsOut.model_validate(other) for other in correction.others],
        )
