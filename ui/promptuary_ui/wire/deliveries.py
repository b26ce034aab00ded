"""Messages that could not be delivered, as the API answers them; the class mirrors the server's `ParkedMessageOut`."""

from datetime import datetime
from typing import Any

from promptuary_ui.wire.base import ApiModel


class ParkedMessage(ApiModel):
    """A message to Chroma, MLflow or a webhook that was refused too often and is not tried any more."""

    id: int
    topic: str
    payload: dict[str, Any]
    attempts: int
    error: str
    created_at: datetime
    parked_at: datetime
