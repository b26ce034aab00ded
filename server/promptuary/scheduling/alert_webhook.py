"""The delivery of alerts to the address of their schedule, signed where a secret is set.

The address is read at each delivery and is never in a message or a log. PROMPTUARY_WEBHOOK_SECRET signs in two ways: as
Standard Webhooks has it, and, for the last time in 0.4, as the releases before did: `X-Promptuary-Signature: t=SECONDS,v1=HEX`
is the HMAC-SHA256 of `SECONDS.BODY`. A receiver refuses old seconds, and drops an id that it knows, since a delivery may be
repeated. A delivery that is not answered with 2xx is repeated, for a day.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from promptuary.access import store as access_store
from promptuary.core.clock import Clock, format_timestamp
from promptuary.core.database import Database
from promptuary.core.outbound_http import DestinationFailed, DestinationRefused, post_json
from promptuary.core.settings import Settings
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.store import Alert
from promptuary.webhooks.signing import signature_headers

TOPIC = "webhook"
TIMEOUT_SECONDS = 10.0
GIVE_UP_AFTER = timedelta(days=1)
log = structlog.get_logger(__name__)
Post = Callable[..., Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True)
class AlertWebhook:
    """Delivers alerts from the outbox.

    Attributes:
        settings: the allowed hosts and the secret.
        database: where alerts and schedules are.
        clock: returns the current time.
        post: sends a body to an allowed address, and returns status and response.
    """

    settings: Settings
    database: Database
    clock: Clock
    post: Post = post_json

    def deliver(self, payload: dict[str, Any]) -> None:
        """Deliver one alert; it is dropped, with an error in the log, if its host is not allowed any more or a day has passed.

        Args:
            payload: `{"alert": number}`.

        Raises:
            DestinationFailed: when the receiver does not accept it.
        """
        with self.database.read() as session:
            alert = schedule_store.get_alert(session, payload["alert"])
            schedule = schedule_store.get_schedule(session, alert.project, alert.schedule) if alert else None
            project = access_store.get_project(session, alert.project) if alert else None
        if alert is None or project is None or schedule is None or schedule.webhook is None:
            log.info("alert not delivered: its schedule has no webhook any more", alert=payload["alert"])
            return
        host, now = urlsplit(schedule.webhook).hostname, self.clock()
        bound = log.bind(alert=alert.id, schedule=alert.schedule, host=host)
        if now - alert.at > GIVE_UP_AFTER:
            bound.error("alert not delivered: not accepted for a day")
            return
        body = alert_body(alert, project.name)
        headers = {"X-Promptuary-Event": "alert.raised"}
        if self.settings.webhook_secret is not None:
            secret = self.settings.webhook_secret.get_secret_value()
            headers |= signature_headers(f"msg_alert_{alert.id}", now, body, (secret,))
            headers["X-Promptuary-Signature"] = sign_body(secret, int(now.timestamp()), body)
        sending = self.post(
            schedule.webhook, body, hosts=self.settings.allowed_webhook_hosts, timeout=TIMEOUT_SECONDS, headers=headers
        )
        try:
            status, _ = asyncio.run(_awaited(sending))
        except DestinationRefused as error:
            bound.error("alert not delivered", error=error.message)
            return
        if not 200 <= status < 300:
            raise DestinationFailed(f"the webhook at '{host}' answered {status}")
        bound.info("alert delivered", status=status)


def alert_body(alert: Alert, project: str) -> bytes:
    """Return the body that is sent for an alert: JSON in UTF-8.

    It is `{type, timestamp, data}`; the members beside these are the form of releases before, and end with their signature.
    """
    data, at = alert_data(alert), format_timestamp(alert.at)
    event = {"type": "alert.raised", "timestamp": at, "data": {"project": project, **data}}
    body = {"event": "alert.raised", "project": project, "at": at, **data, **event}
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def alert_data(alert: Alert) -> dict[str, Any]:
    """Return an alert as the data of its event."""
    return {
        "id": alert.id,
        "schedule": alert.schedule,
        "suite": alert.suite,
        "run": alert.run,
        "model": alert.model,
        "metric": alert.metric,
        "interval": alert.interval.json_body(),
        "sentence": alert.sentence,
    }


def sign_body(secret: str, seconds: int, body: bytes) -> str:
    """Return the value of the signature header: the time and the HMAC of a body."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


async def _awaited(sending: Awaitable[tuple[int, bytes]]) -> tuple[int, bytes]:
    return await sending
