"""Review queues and claims as the API answers them; the classes mirror the server's of the same name and `…Out`."""

from datetime import datetime
from typing import Any

from promptuary_ui.wire.base import ApiModel


class Choice(ApiModel):
    """A decision that a queue offers, and the key that presses its button."""

    value: str
    label: str
    shortcut: str | None = None


class QueueCounts(ApiModel):
    """The progress of a queue; `mine` and `left` are this reviewer's."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int


class Queue(ApiModel):
    """A queue."""

    name: str
    instructions: str
    decisions: list[Choice]
    slots: int
    counts: QueueCounts


class Item(ApiModel):
    """An item to decide on."""

    id: str
    source: str
    payload: dict[str, Any]


class Claim(ApiModel):
    """An item leased to this reviewer."""

    id: str
    queue: str
    nonce: str
    lease_until: datetime
    item: Item
