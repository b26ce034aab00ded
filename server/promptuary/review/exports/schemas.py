"""The wire model of an exported decision."""

from datetime import datetime
from typing import Any

from promptuary.core.wire import ResponseModel


class ExportedDecision(ResponseModel):
    """A decision as it was stored, with its item's payload and inclusion probability.

    A preference in `labels` is `first`, `second` or `tie`.
    """

    id: int
    claim: str
    item: str
    source: str
    reviewer: str
    reviewer_id: str
    decision: str
    comment: str
    labels: dict[str, Any]
    correction: str | None
    schema_number: int
    swapped: bool | None
    seen_at: datetime | None
    at: datetime
    probability: float
    payload: dict[str, Any]
