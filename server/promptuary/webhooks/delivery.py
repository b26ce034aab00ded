"""The delivery of events to webhooks, from the outbox: signed, at least once under the same id, and a limited number of times.

A receiver accepts an event with 2xx. Everything else is a failed attempt, redirects too, and is repeated after a growing wait;
after the last attempt the delivery is dead, and stays in the list. 410 disables the webhook.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.outbound_http import DestinationFailed, DestinationRefused, post_json
from promptuary.core.outbox import DeliveryPostponed
from promptuary.core.settings import Settings
from promptuary.webhooks import store
from promptuary.webhooks.signing import signature_headers
from promptuary.webhooks.store import Delivery, DeliveryState, Webhook

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 12
FIRST_WAIT = timedelta(seconds=5)
WAIT_FACTOR = 3
LONGEST_WAIT = timedelta(hours=6)
JITTER = 0.2
KEPT = timedelta(days=30)
"""How long deliveries that ended stay in the list."""
GONE = 410
log = structlog.get_logger(__name__)
Post = Callable[..., Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True)
class WebhookDelivery:
    """Delivers events from the outbox.

    Attributes:
        settings: the allowed hosts.
        database: where webhooks and deliveries are.
        clock: returns the present time.
        post: sends a body to an allowed address, and returns status and response.
        draw: returns a random number from 0 to 1, for the jitter.
    """

    settings: Settings
    database: Database
    clock: Clock
    post: Post = post_json
    draw: Callable[[], float] = random.random

    def deliver(self, payload: dict[str, Any]) -> None:
        """Send one delivery, and store the result. One that was delivered already, or whose webhook is gone, is left.

        Args:
            payload: `{"delivery": id}`.

        Raises:
            DeliveryPostponed: when the attempt failed and another one follows.
        """
        with self.database.read() as session:
            delivery = store.find_delivery(session, payload["delivery"])
            webhook = store.get_webhook(session, delivery.webhook) if delivery else None
        if delivery is None or webhook is None or delivery.state is not DeliveryState.PENDING:
            return
        now = self.clock()
        if not webhook.enabled:
            self._store(webhook, replace(delivery, state=DeliveryState.DEAD, error="the webhook is disabled", next_at=None))
            return
        status, error = self._attempt(webhook, delivery, now)
        attempts = delivery.attempts + 1
        attempted = replace(delivery, attempts=attempts, status=status, error=error, attempted_at=now, next_at=None)
        bound = log.bind(webhook=webhook.name, delivery=delivery.id, type=delivery.type, status=status)
        if error is None:
            self._store(webhook, replace(attempted, state=DeliveryState.DELIVERED))
            bound.info("event delivered")
        elif status == GONE or attempts >= ATTEMPTS:
            self._store(webhook, replace(attempted, state=DeliveryState.DEAD), disable=status == GONE)
            bound.error("event not delivered", attempts=attempts, error=error)
        else:
            wait = self._wait(attempts)
            self._store(webhook, replace(attempted, next_at=now + wait))
            raise DeliveryPostponed(error, wait)

    def _attempt(self, webhook: Webhook, delivery: Delivery, now: datetime) -> tuple[int | None, str | None]:
        """Send the body once; return the status, if there was one, and why the event was not accepted."""
        body = delivery.body.encode()
        texts = [secret.text for secret in webhook.active_secrets(now)]
        headers = signature_headers(delivery.id, now, body, texts)
        hosts = self.settings.allowed_webhook_hosts
        try:
            sending = self.post(webhook.url, body, hosts=hosts, timeout=TIMEOUT_SECONDS, headers=headers)
            status, _ = asyncio.run(_awaited(sending))
        except (DestinationFailed, DestinationRefused) as error:
            return None, error.message
        if 200 <= status < 300:
            return status, None
        redirect = "; redirects are not followed" if 300 <= status < 400 else ""
        return status, f"the receiver answered {status}{redirect}"

    def _wait(self, attempts: int) -> timedelta:
        wait = min(FIRST_WAIT * float(WAIT_FACTOR ** (attempts - 1)), LONGEST_WAIT)
        return wait * (1 - JITTER + 2 * JITTER * self.draw())

    def _store(self, webhook: Webhook, delivery: Delivery, *, disable: bool = False) -> None:
        now = self.clock()
        with self.database.write() as session:
            if disable:
                lock_project(session, webhook.project)
            store.update_delivery(session, delivery)
            if delivery.state is not DeliveryState.PENDING:
                store.remove_old_deliveries(session, webhook.id, now - KEPT)
            if disable:
                reason = f"the receiver answered {GONE}: it wants no more events"
                store.disable_webhook(session, webhook.id, reason, now)
                change = audit.Change("worker", "webhook.disabled", webhook.name, {"delivery": delivery.id}, now)
                audit.append_entry(session, webhook.project, change)


async def _awaited(sending: Awaitable[tuple[int, bytes]]) -> tuple[int, bytes]:
    return await sending
