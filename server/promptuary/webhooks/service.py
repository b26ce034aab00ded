"""The rules of webhooks: who receives what, the secrets that sign, and which deliveries are sent again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core import outbox
from promptuary.core.errors import Conflict, NotFound
from promptuary.core.outbound_http import parse_destination, redacted_url
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.webhooks import store
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.publication import TOPIC, WebhookEvent, add_delivery, event_body
from promptuary.webhooks.signing import generate_secret
from promptuary.webhooks.store import Delivery, DeliveryState, SigningSecret, Webhook

WEBHOOKS_LIMIT = 50
"""The most webhooks of a project."""


@dataclass(frozen=True)
class WebhookDefinition:
    """What somebody wants a webhook to be; see `Webhook`."""

    url: str
    events: tuple[EventType, ...] | None = None
    enabled: bool = True


@dataclass(frozen=True)
class WrittenWebhook:
    """A webhook, and its secret where this call created one."""

    webhook: Webhook
    secret: str | None = None


@dataclass(frozen=True)
class WebhookService:
    """Webhooks on behalf of a caller."""

    unit: UnitOfWork

    def put(self, name: str, definition: WebhookDefinition) -> WrittenWebhook:
        """Create a webhook with a secret, or change the one of its name, which keeps its secrets.

        Raises:
            DestinationRefused: for an address to which webhooks may not go.
            Conflict: when the project has too many.
        """
        unit, now = self.unit, self.unit.clock()
        parse_destination(definition.url, unit.settings.allowed_webhook_hosts)
        stored = self._find(name, lock=True)
        fields = {**vars(definition), "updated_at": now}
        if stored is not None:
            changed = replace(stored, **fields, disabled_reason=None if definition.enabled else stored.disabled_reason)
            written = WrittenWebhook(store.put_webhook(unit.session, changed))
        else:
            if store.count_webhooks(unit.session, unit.caller.project) >= WEBHOOKS_LIMIT:
                raise Conflict(f"the project has {WEBHOOKS_LIMIT} webhooks, which are the most; remove one")
            secret = SigningSecret(generate_secret(), now)
            new = Webhook(0, unit.caller.project, name, disabled_reason=None, secrets=(secret,), created_at=now, **fields)
            written = WrittenWebhook(store.put_webhook(unit.session, new), secret.text)
        detail = {
            "url": redacted_url(definition.url),
            "events": None if definition.events is None else list(definition.events),
            "enabled": definition.enabled,
        }
        audit.record_change(unit, "webhook.changed" if stored else "webhook.created", name, detail)
        return written

    def get(self, name: str) -> Webhook:
        """Return a webhook.

        Raises:
            NotFound: when there is none.
        """
        return self._existing(name)

    def webhooks(self, limit: int, cursor: str | None) -> Page[Webhook]:
        """Return a page of the project's webhooks by name."""
        rows = store.list_webhooks(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda webhook: webhook.name)

    def remove(self, name: str) -> None:
        """Delete a webhook with its secrets and deliveries.

        Raises:
            NotFound: when there is none.
        """
        store.remove_webhook(self.unit.session, self._existing(name, lock=True))
        audit.record_change(self.unit, "webhook.removed", name)

    def rotate_secret(self, name: str, keep_hours: int) -> WrittenWebhook:
        """Create a new secret. The one before it signs, too, for some hours; any older one ends.

        Raises:
            NotFound: when there is no such webhook.
        """
        unit, now = self.unit, self.unit.clock()
        webhook = self._existing(name, lock=True)
        secret = SigningSecret(generate_secret(), now)
        previous: Sequence[SigningSecret] = ()
        if keep_hours:
            previous = (replace(webhook.secrets[0], expires_at=now + timedelta(hours=keep_hours)),)
        rotated = store.put_webhook(unit.session, replace(webhook, secrets=(secret, *previous), updated_at=now))
        audit.record_change(unit, "webhook.secret_rotated", name, {"keep_hours": keep_hours})
        return WrittenWebhook(rotated, secret.text)

    def test(self, name: str) -> Delivery:
        """Queue a delivery of the type `webhook.test`.

        Raises:
            NotFound: when there is no such webhook.
            Conflict: when it is disabled.
        """
        unit, webhook = self.unit, self._enabled(name)
        event = WebhookEvent(EventType.WEBHOOK_TEST, unit.clock(), {"webhook": name})
        delivery = add_delivery(unit.session, webhook.id, event, event_body(unit.session, webhook.project, event))
        audit.record_change(unit, "webhook.tested", name, {"delivery": delivery.id})
        return delivery

    def deliveries(self, name: str, limit: int, cursor: str | None, state: DeliveryState | None) -> Page[Delivery]:
        """Return a page of a webhook's deliveries, the newest first.

        Raises:
            NotFound: when there is no such webhook.
        """
        webhook = self._existing(name)
        rows = store.list_deliveries(self.unit.session, webhook.id, state, decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda delivery: delivery.number)

    def replay(self, name: str, delivery_id: str) -> Delivery:
        """Queue a delivery that ended again, under its own id and with its own body.

        Raises:
            NotFound: when the webhook has no such delivery.
            Conflict: when the delivery has not ended, or the webhook is disabled.
        """
        unit, webhook = self.unit, self._enabled(name)
        delivery = store.find_delivery(unit.session, delivery_id, webhook.id)
        if delivery is None:
            raise NotFound(f"the webhook '{name}' has no delivery '{delivery_id}'")
        if delivery.state is DeliveryState.PENDING:
            raise Conflict(f"the delivery '{delivery_id}' is pending; wait until it has ended")
        again = replace(delivery, state=DeliveryState.PENDING, attempts=0, next_at=unit.clock())
        store.update_delivery(unit.session, again)
        outbox.enqueue(unit.session, TOPIC, {"delivery": delivery.id}, unit.clock())
        audit.record_change(unit, "webhook.replayed", name, {"delivery": delivery.id})
        return again

    def _enabled(self, name: str) -> Webhook:
        webhook = self._existing(name, lock=True)
        if not webhook.enabled:
            reason = f" ({webhook.disabled_reason})" if webhook.disabled_reason else ""
            raise Conflict(f"the webhook '{name}' is disabled{reason}; write it again with `enabled: true`")
        return webhook

    def _existing(self, name: str, *, lock: bool = False) -> Webhook:
        webhook = self._find(name, lock=lock)
        if webhook is None:
            raise NotFound(f"there is no webhook '{name}'")
        return webhook

    def _find(self, name: str, *, lock: bool) -> Webhook | None:
        """Return a webhook, if there is one; locks are always taken in the order of a publication: the project's first."""
        session, project = self.unit.session, self.unit.caller.project
        if lock:
            lock_project(session, project)
        return store.find_webhook(session, project, name, lock=lock)
