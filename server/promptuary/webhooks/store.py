"""Queries of webhooks and deliveries: a session in, domain values out. Every list is scoped by the project."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam
from sqlmodel import Session, col, delete, func, select, update

from promptuary.core.database import table_of
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.tables import DeliveryRow, WebhookRow

_WEBHOOK = table_of(WebhookRow)
_RECEIVERS = select(_WEBHOOK.c.id, _WEBHOOK.c.events).where(
    _WEBHOOK.c.project_id == bindparam("project"), _WEBHOOK.c.enabled.is_(True)
)


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    """It is due, or waits for its next attempt."""
    DELIVERED = "delivered"
    """The receiver answered with 2xx."""
    DEAD = "dead"
    """No attempt succeeded, and none follows; it can be replayed."""


@dataclass(frozen=True)
class SigningSecret:
    """A secret, `whsec_…`, and the time from which it does not sign any more; its text is in no representation."""

    text: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Webhook:
    """An address that receives a project's events.

    Attributes:
        id: the database's own; 0 before it is stored.
        project: whose events.
        name: by which people recognize it.
        url: the address; its path may be secret, so it is in no representation.
        events: the types that it receives; None for all.
        enabled: whether events are sent.
        disabled_reason: why they are not, if the receiver ended it.
        secrets: the newest first.
        created_at: when it was created.
        updated_at: when it was last changed.
    """

    id: int
    project: int
    name: str
    url: str = field(repr=False)
    events: tuple[EventType, ...] | None
    enabled: bool
    disabled_reason: str | None
    secrets: tuple[SigningSecret, ...]
    created_at: datetime
    updated_at: datetime

    def active_secrets(self, now: datetime) -> list[SigningSecret]:
        """Return the secrets that sign at a time."""
        return [secret for secret in self.secrets if secret.expires_at is None or now < secret.expires_at]


@dataclass(frozen=True)
class Delivery:
    """One event for one webhook; see `DeliveryRow`."""

    number: int
    id: str
    webhook: int
    type: EventType
    body: str = field(repr=False)
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created_at: datetime
    attempted_at: datetime | None
    next_at: datetime | None


def receivers(session: Session, project: int, event_type: EventType) -> list[int]:
    """Return the ids of the project's webhooks that receive a type of event."""
    rows = session.connection().execute(_RECEIVERS, {"project": project})
    return [int(number) for number, events in rows if events is None or event_type in events]


def find_webhook(session: Session, project: int, name: str, *, lock: bool = False) -> Webhook | None:
    """Return a project's webhook by its name; with `lock`, no other writer changes it until the transaction ends."""
    query = select(WebhookRow).where(WebhookRow.project_id == project, WebhookRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return _webhook(row) if row else None


def get_webhook(session: Session, number: int) -> Webhook | None:
    """Return a webhook of any project by its id."""
    row = session.get(WebhookRow, number)
    return _webhook(row) if row else None


def count_webhooks(session: Session, project: int) -> int:
    """Count a project's webhooks."""
    return session.exec(select(func.count()).select_from(WebhookRow).where(WebhookRow.project_id == project)).one()


def list_webhooks(session: Session, project: int, after: str | None, limit: int) -> list[Webhook]:
    """Return a page of a project's webhooks by name."""
    query = select(WebhookRow).where(WebhookRow.project_id == project).order_by(WebhookRow.name).limit(limit)
    return [_webhook(row) for row in session.exec(query if after is None else query.where(WebhookRow.name > after))]


def put_webhook(session: Session, webhook: Webhook) -> Webhook:
    """Store a webhook, over the one of its id, and return it with its id."""
    row = WebhookRow(
        id=webhook.id or None,
        project_id=webhook.project,
        name=webhook.name,
        url=webhook.url,
        events=None if webhook.events is None else [str(event_type) for event_type in webhook.events],
        enabled=webhook.enabled,
        disabled_reason=webhook.disabled_reason,
        secrets=[_secret_json(secret) for secret in webhook.secrets],
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
    )
    merged = session.merge(row)
    session.flush()
    return _webhook(merged)


def remove_webhook(session: Session, webhook: Webhook) -> None:
    """Delete a webhook with its secrets and deliveries."""
    session.exec(delete(DeliveryRow).where(col(DeliveryRow.webhook_id) == webhook.id))
    session.exec(delete(WebhookRow).where(col(WebhookRow.id) == webhook.id))


def disable_webhook(session: Session, number: int, reason: str, at: datetime) -> None:
    """Send a webhook no more events, and store why."""
    change = update(WebhookRow).where(col(WebhookRow.id) == number)
    session.exec(change.values(enabled=False, disabled_reason=reason, updated_at=at))


def add_delivery(session: Session, delivery: Delivery) -> Delivery:
    """Store a delivery, and return it with its number."""
    fields = asdict(delivery)
    del fields["number"]
    row = DeliveryRow(webhook_id=fields.pop("webhook"), **fields)
    session.add(row)
    session.flush()
    return _delivery(row)


def find_delivery(session: Session, delivery_id: str, webhook: int | None = None) -> Delivery | None:
    """Return a delivery by its id, if it belongs to a webhook."""
    query = select(DeliveryRow).where(DeliveryRow.id == delivery_id)
    row = session.exec(query if webhook is None else query.where(DeliveryRow.webhook_id == webhook)).one_or_none()
    return _delivery(row) if row else None


def list_deliveries(
    session: Session, webhook: int, state: DeliveryState | None, before: int | None, limit: int
) -> list[Delivery]:
    """Return a page of a webhook's deliveries, the newest first."""
    query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook)
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    if before is not None:
        query = query.where(col(DeliveryRow.number) < before)
    return [_delivery(row) for row in session.exec(query.order_by(col(DeliveryRow.number).desc()).limit(limit))]


def update_delivery(session: Session, delivery: Delivery) -> None:
    """Store the state of a delivery."""
    fields = ("state", "attempts", "status", "error", "attempted_at", "next_at")
    values = {name: getattr(delivery, name) for name in fields}
    session.exec(update(DeliveryRow).where(col(DeliveryRow.number) == delivery.number).values(**values))


def remove_old_deliveries(session: Session, webhook: int, before: datetime) -> None:
    """Delete a webhook's deliveries that ended and were created before a time."""
    old = delete(DeliveryRow).where(col(DeliveryRow.webhook_id) == webhook, col(DeliveryRow.created_at) < before)
    session.exec(old.where(col(DeliveryRow.state) != DeliveryState.PENDING))


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.id or 0,
        project=row.project_id,
        name=row.name,
        url=row.url,
        events=None if row.events is None else tuple(map(EventType, row.events)),
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        secrets=_secrets(row.secrets),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _secrets(stored: Sequence[dict[str, str | None]]) -> tuple[SigningSecret, ...]:
    return tuple(
        SigningSecret(
            str(secret["text"]),
            datetime.fromisoformat(str(secret["created_at"])),
            datetime.fromisoformat(secret["expires_at"]) if secret["expires_at"] else None,
        )
        for secret in stored
    )


def _secret_json(secret: SigningSecret) -> dict[str, str | None]:
    return {
        "text": secret.text,
        "created_at": secret.created_at.isoformat(),
        "expires_at": secret.expires_at.isoformat() if secret.expires_at else None,
    }


def _delivery(row: DeliveryRow) -> Delivery:
    fields = row.model_dump()
    webhook = fields.pop("webhook_id")
    return Delivery(**{**fields, "webhook": webhook, "type": EventType(row.type), "state": DeliveryState(row.state)})
