"""The wire model of parked messages."""

from datetime import datetime
from typing import Any

from promptuary.core.wire import ResponseModel


class ParkedMessageOut(ResponseModel):
    """A message that is not tried any more: its receiver, the ids of what was to be delivered, and the last error."""

    id: int
    topic: str
    payload: dict[str, Any]
    attempts: int
    error: str
    created_at: datetime
    parked_at: datetime
