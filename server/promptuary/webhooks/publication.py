"""The publication of an event: one delivery for each webhook that receives its type, in the transaction of the cause."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.access import store as access_store
from promptuary.core import outbox
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.webhooks import store
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.store import Delivery, DeliveryState

TOPIC = "webhook_deliveries"
"""The outbox's topic; a message is `{"delivery": id}`."""


@dataclass(frozen=True)
class WebhookEvent:
    """What happened, when, and its data as JSON values; the project is added when it is published."""

    type: EventType
    at: datetime
    data: dict[str, Any]


def publish(session: Session, project: int, event: WebhookEvent) -> None:
    """Store a delivery for each webhook of the project that receives the event, with a message in the outbox."""
    if not store.receivers(session, project, event.type):
        return
    access_store.lock_project(session, project)  # a webhook is removed under the same lock, so none of these is gone below
    body = event_body(session, project, event)
    for number in store.receivers(session, project, event.type):
        add_delivery(session, number, event, body)


def event_body(session: Session, project: int, event: WebhookEvent) -> str:
    """Return the body that is sent for an event: `{type, timestamp, data}`."""
    owner = access_store.get_project(session, project)
    data = {"project": owner.name if owner else None, **event.data}
    body = {"type": event.type, "timestamp": format_timestamp(event.at), "data": data}
    return json.dumps(body, ensure_ascii=False, allow_nan=False)


def add_delivery(session: Session, webhook: int, event: WebhookEvent, body: str) -> Delivery:
    """Store a delivery to one webhook, with its message in the outbox."""
    delivery = Delivery(
        number=0,
        id=f"msg_{secrets.token_hex(16)}",
        webhook=webhook,
        type=event.type,
        body=body,
        state=DeliveryState.PENDING,
        attempts=0,
        status=None,
        error=None,
        created_at=event.at,
        attempted_at=None,
        next_at=event.at,
    )
    stored = store.add_delivery(session, delivery)
    outbox.enqueue(session, TOPIC, {"delivery": stored.id}, event.at)
    return stored
