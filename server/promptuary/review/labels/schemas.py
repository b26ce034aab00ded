"""Wire models of decisions."""

from datetime import datetime
from typing import Any

from promptuary.core.wire import ResponseModel


class DecisionOut(ResponseModel):
    """A decision as it was stored."""

    claim: str
    item: str
    source: str
    reviewer: str
    reviewer_id: str
    decision: str
    comment: str
    at: datetime


class ExportedDecision(DecisionOut):
    """A decision with its item's payload and inclusion probability."""

    probability: float
    payload: dict[str, Any]
