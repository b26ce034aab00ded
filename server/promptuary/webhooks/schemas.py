"""The wire models of webhooks and deliveries."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from promptuary.core.outbound_http import redacted_url
from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.service import WebhookDefinition, WrittenWebhook
from promptuary.webhooks.store import Delivery, DeliveryState, Webhook


class WebhookIn(RequestModel):
    """An address, the types of events that it receives (all by default), and whether it receives them now."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    events: Annotated[list[Annotated[EventType, Field(strict=False)]], Field(min_length=1, max_length=50)] | None = None
    enabled: bool = True

    def definition(self) -> WebhookDefinition:
        """Return the domain value."""
        events = None if self.events is None else tuple(dict.fromkeys(self.events))
        return WebhookDefinition(self.url, events, self.enabled)


class RotateSecret(RequestModel):
    """For how many hours the present secret signs beside the new one; 0 ends it at once."""

    keep_hours: Annotated[int, Field(ge=0, le=168)] = 24


class SecretOut(ResponseModel):
    """A secret without its text."""

    created_at: datetime
    expires_at: datetime | None


class WebhookOut(ResponseModel):
    """A webhook. `url` has no path, `events` is null for all types; only the answer that creates a secret has it."""

    name: str
    url: str
    events: list[EventType] | None
    enabled: bool
    disabled_reason: str | None
    secrets: list[SecretOut]
    created_at: datetime
    updated_at: datetime
    secret: str | None = None

    @classmethod
    def of(cls, webhook: Webhook, secret: str | None = None) -> Self:
        """Build it from the domain value."""
        return cls.model_validate({**vars(webhook), "url": redacted_url(webhook.url), "secret": secret})

    @classmethod
    def of_written(cls, written: WrittenWebhook) -> Self:
        """Build it from the result of a write, with the secret that was created."""
        return cls.of(written.webhook, written.secret)


class DeliveryOut(ResponseModel):
    """An event on its way to a webhook; `id` is the header `webhook-id`, `status` is that of the last attempt."""

    id: str
    type: EventType
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created_at: datetime
    attempted_at: datetime | None
    next_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Build it from the domain value."""
        return cls.model_validate(delivery)


class TestData(ResponseModel):
    """The data of a test."""

    project: str
    webhook: str
