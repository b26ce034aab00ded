"""Finished runs and alerts as events: published in the transaction that finishes the run."""

import json
from typing import Any

from factories.summaries import make_interval
from promptuary.api.webhook_events import event_model
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.scheduling.alert_webhook import alert_data
from promptuary.scheduling.store import Alert
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.publication import WebhookEvent, publish
from promptuary.worker.assembly import build_worker
from webhooks.receiver import Receiver


def test_a_finished_run_is_published_with_its_verdict(
    put: Any, create_words_suite: Any, unit_as: Any, sqlite: Any, clock: Any, allowed: Any, deliver: Any, receiver: Receiver
) -> None:
    put(events=["run.finished"])
    create_words_suite("yes")
    with unit_as("author") as unit:
        run = RunService(unit).submit(RunRequest(suite="words"))
    with build_worker(allowed, database=sqlite, clock=clock) as worker:
        assert worker.work() is True
    deliver()
    (message,) = receiver.messages
    body = json.loads(message.body)
    event_model(EventType.RUN_FINISHED).model_validate(body)
    assert (body["data"]["run"], body["data"]["suite"], body["data"]["schedule"]) == (run.id, "words", None)
    assert body["data"]["verdict"]


def test_an_alert_fits_the_model_of_its_event(put: Any, unit_as: Any, clock: Any, deliver: Any, receiver: Receiver) -> None:
    put(events=["alert.raised"])
    alert = Alert(7, 1, "nightly", "words", "run_1", "echo:", "exact", make_interval(), "it fell", clock())
    with unit_as("author") as unit:
        publish(unit.session, unit.caller.project, WebhookEvent(EventType.ALERT_RAISED, alert.at, alert_data(alert)))
    deliver()
    body = json.loads(receiver.messages[0].body)
    event_model(EventType.ALERT_RAISED).model_validate(body)
    assert (body["type"], body["data"]["id"], body["data"]["sentence"]) == ("alert.raised", 7, "it fell")
