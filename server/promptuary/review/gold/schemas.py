"""Wire models of corrections and gold cases."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.datasets.schemas import DatasetOut
from promptuary.review.gold.service import AcceptedGold
from promptuary.review.gold.store import GoldCase, OutputCorrection

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
    """An output that a reviewer has edited, and whether it is a gold case already."""

    decision: int
    item: str
    case: str | None
    input: Any
    output: Any
    correction: str | None
    comment: str
    reviewer: str
    reviewer_id: str
    at: datetime
    accepted: bool

    @classmethod
    def of(cls, correction: OutputCorrection) -> Self:
        """Build the wire model from the domain value."""
        payload = correction.item.payload
        named = payload.get("case")
        return cls(
            decision=correction.decision,
            item=correction.item.id,
            case=named if isinstance(named, str) else None,
            input=payload.get("input"),
            output=payload.get("output"),
            correction=correction.text,
            comment=correction.comment,
            reviewer=correction.reviewer,
            reviewer_id=correction.reviewer_id,
            at=correction.at,
            accepted=correction.is_accepted,
        )
