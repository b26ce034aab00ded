"""Alerts sent: to whom, signed how, how often, and when no more."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from factories.summaries import make_interval
from promptuary.core import outbox
from promptuary.core.errors import Unavailable
from promptuary.core.outbound_http import DestinationFailed, parse_destination
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.alert_webhook import TOPIC, AlertWebhook, sign_body
from promptuary.scheduling.service import ScheduleDefinition, ScheduleService
from promptuary.scheduling.store import Alert

HOOK = "https://hooks.example.org/services/T0-not-for-logs"


@dataclass
class Receiver:
    """Takes what is sent, after the checks of the real door."""

    status: int = 200
    got: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, url: str, body: bytes, *, hosts: Any, timeout: float, headers: dict[str, str]) -> Any:
        parse_destination(url, hosts)
        self.got.append((url, body, headers))
        return self.status, b"thanks"


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def webhook(sqlite: Any, clock: Any, settings: Any, receiver: Receiver) -> AlertWebhook:
    allowed = settings.model_copy(update={"webhook_hosts": "hooks.example.org"})
    return AlertWebhook(allowed, sqlite, clock, receiver)


@pytest.fixture
def alert(create_words_suite: Callable[..., None], unit_as: Any, webhook: AlertWebhook) -> dict[str, Any]:
    """The message of an alert whose schedule has a webhook."""
    create_words_suite("yes")
    with unit_as("author") as unit:
        allowed = type(unit)(unit.session, unit.caller, unit.clock, webhook.settings)
        ScheduleService(allowed).put("nightly", ScheduleDefinition("words", "0 3 * * *", webhook=HOOK))
        run = RunService(unit).submit(RunRequest(suite="words"), schedule="nightly")
        new = Alert(
            0, unit.caller.project, "nightly", "words", run.id, "echo:", "exact", make_interval(), "it fell", unit.clock()
        )
        (added,) = schedule_store.add_alerts(unit.session, [new])
    return {"alert": added.id}


def test_an_alert_is_sent_with_all_its_fields(webhook: AlertWebhook, receiver: Receiver, alert: Any) -> None:
    webhook.deliver(alert)

    ((url, body, headers),) = receiver.got
    assert url == HOOK
    sent = json.loads(body)
    assert (sent["event"], sent["id"], sent["project"], sent["schedule"]) == (
        "alert.raised",
        alert["alert"],
        "default",
        "nightly",
    )
    assert (sent["metric"], sent["interval"], sent["sentence"]) == ("exact", make_interval().json_body(), "it fell")
    assert sent["run"].startswith("run_")
    assert sent["at"] == "2026-03-02T12:00:00.000000Z"
    assert (sent["type"], sent["timestamp"], sent["data"]["project"]) == ("alert.raised", sent["at"], "default")
    assert sent["data"].items() <= sent.items()
    assert headers == {"X-Promptuary-Event": "alert.raised"}


def test_what_is_sent_is_signed_where_a_secret_is_set(
    webhook: AlertWebhook, receiver: Receiver, alert: Any, clock: Any
) -> None:
    signing = webhook.settings.model_copy(update={"webhook_secret": SecretStr("s3cret")})
    AlertWebhook(signing, webhook.database, clock, receiver).deliver(alert)

    ((_, body, headers),) = receiver.got
    seconds = int(clock().timestamp())
    expected = hmac.new(b"s3cret", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Promptuary-Signature"] == f"t={seconds},v1={expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (f"msg_alert_{alert['alert']}", str(seconds))
    standard = Webhook(b"s3cret").sign(headers["webhook-id"], clock(), body.decode())
    assert headers["webhook-signature"] == standard
    assert sign_body("s3cret", seconds, body + b" ") != headers["X-Promptuary-Signature"]


@pytest.mark.parametrize("status", [302, 404, 429, 500])
def test_what_is_not_taken_is_tried_again(webhook: AlertWebhook, receiver: Receiver, alert: Any, status: int) -> None:
    receiver.status = status
    with pytest.raises(DestinationFailed, match=f"the webhook at 'hooks.example.org' answered {status}"):
        webhook.deliver(alert)


def test_what_nobody_takes_for_a_day_is_given_up(webhook: AlertWebhook, receiver: Receiver, alert: Any, clock: Any) -> None:
    clock.move(days=1, seconds=1)
    webhook.deliver(alert)
    assert receiver.got == []


def test_a_host_that_is_no_longer_allowed_gets_nothing_and_the_log_names_no_secret(
    webhook: AlertWebhook, receiver: Receiver, alert: Any, settings: Any, clock: Any
) -> None:
    with capture_logs() as logs:
        AlertWebhook(settings, webhook.database, clock, receiver).deliver(alert)
    assert receiver.got == []
    assert [(entry["event"], entry["log_level"], entry["host"]) for entry in logs] == [
        ("alert not delivered", "error", "hooks.example.org")
    ]
    assert "T0-not-for-logs" not in str(logs)


def test_an_alert_whose_schedule_is_gone_or_has_no_webhook_is_sent_nowhere(
    webhook: AlertWebhook, receiver: Receiver, alert: Any, unit_as: Any
) -> None:
    webhook.deliver({"alert": 4711})
    with unit_as("author") as unit:
        ScheduleService(unit).put("nightly", ScheduleDefinition("words", "0 3 * * *"))
    webhook.deliver(alert)
    with unit_as("author") as unit:
        ScheduleService(unit).remove("nightly")
    webhook.deliver(alert)
    assert receiver.got == []


def test_an_alert_goes_through_the_outbox_until_it_is_taken(
    webhook: AlertWebhook, receiver: Receiver, alert: Any, clock: Any
) -> None:
    with webhook.database.write() as session:
        outbox.enqueue(session, TOPIC, alert, clock())
    receiver.status = 503
    result = outbox.relay_independent(webhook.database, clock, TOPIC, webhook.deliver)
    assert (result.delivered, result.failed) == (0, 1)
    receiver.status = 200
    clock.move(seconds=1)
    assert outbox.relay_independent(webhook.database, clock, TOPIC, webhook.deliver).delivered == 1
    assert len(receiver.got) == 2
    assert issubclass(DestinationFailed, Unavailable)
