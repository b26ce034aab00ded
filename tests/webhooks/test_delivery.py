"""Events on their way to a receiver: signed, repeated, given up, replayed; to no address that is not allowed."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import standardwebhooks.webhooks
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.core.outbound_http import post_json
from promptuary.webhooks.delivery import ATTEMPTS, KEPT
from webhooks.receiver import Message, Receiver


@pytest.fixture
def verify(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Message, str], Any]:
    """Verify a message with the library, at the time of the test's clock, and return its body."""

    class Now(standardwebhooks.webhooks.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock()

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Now)
    return lambda message, secret: Webhook(secret).verify(message.body, message.headers)


@pytest.fixture
def queue_test(local: Any) -> Callable[..., Any]:
    """Queue an event `webhook.test`, and return the delivery."""

    def queue(name: str = "hook") -> Any:
        response = local.post(f"/v1/webhooks/{name}/test")
        assert response.status_code == 202, response.text
        return response.json()

    return queue


@pytest.mark.usefixtures("database")
def test_an_event_is_delivered_and_its_signature_holds(
    put: Any, register: Any, deliver: Any, deliveries: Any, receiver: Receiver, verify: Any
) -> None:
    secret = put(events=["version.created"])["secret"]
    version = register("support.triage", "Hi {{name}}")
    assert deliver().delivered == 1

    (message,) = receiver.messages
    body = verify(message, secret)
    assert (body["type"], body["timestamp"]) == ("version.created", "2026-03-02T12:00:00.000000Z")
    data = body["data"]
    assert (data["project"], data["prompt"], data["version"], data["actor"]) == ("default", "support.triage", version, "local")
    assert message.headers["content-type"] == "application/json"
    (delivery,) = deliveries()
    assert (delivery["id"], delivery["state"], delivery["status"]) == (message.headers["webhook-id"], "delivered", 204)
    with pytest.raises(WebhookVerificationError):
        verify(Message("", message.headers, message.body + b" "), secret)
    assert deliver().delivered == 0


@pytest.mark.usefixtures("database")
def test_every_event_that_a_webhook_selects_is_sent_and_no_other(
    put: Any, register: Any, local: Any, deliver: Any, receiver: Receiver
) -> None:
    put(events=["label.moved", "prompt.archived"])
    register("a", "Hi", labels=["production"])
    register("a", "Hello")
    local.put("/v1/prompts/a/labels/production", json={"version": 2, "reason": "better"}).raise_for_status()
    local.post("/v1/prompts/a/archive", json={"reason": "old"}).raise_for_status()
    local.post("/v1/prompts/a/restore", json={}).raise_for_status()
    deliver()
    bodies = [json.loads(message.body) for message in receiver.messages]
    assert [body["type"] for body in bodies] == ["label.moved", "label.moved", "prompt.archived"]
    moved = bodies[1]["data"]
    assert (moved["label"], moved["version"], moved["previous"], moved["reason"]) == ("production", 2, 1, "better")


@pytest.mark.usefixtures("database")
def test_a_write_that_fails_publishes_nothing(put: Any, register: Any, local: Any, deliver: Any) -> None:
    register("a", "Hi")
    put()
    assert local.put("/v1/prompts/a/labels/production", json={"version": 9}).status_code == 404
    assert local.post("/v1/prompts/b/versions", json={"type": "text", "template": "{{"}).status_code == 422
    assert deliver().delivered == 0


def test_a_webhook_of_another_project_receives_nothing(
    api: Any, bearer: Any, receiver: Receiver, register: Any, deliver: Any
) -> None:
    headers = bearer("admin", "other")
    assert api.put("/v1/webhooks/hook", json={"url": receiver.url}, headers=headers).status_code == 201
    register("a", "Hi")
    assert deliver().delivered == 0


@pytest.mark.usefixtures("database")
def test_a_failed_attempt_is_repeated_under_the_same_id(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, clock: Any, verify: Any
) -> None:
    secret = put()["secret"]
    queued = queue_test()
    receiver.status = 503
    assert deliver().failed == 1
    (delivery,) = deliveries()
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("pending", 1, 503)
    assert delivery["error"] == "the receiver answered 503"
    assert delivery["next_at"] == "2026-03-02T12:00:05Z"
    assert deliver() == type(deliver())(0, 0), "not before its time"
    clock.move(seconds=5)
    receiver.status = 200
    assert deliver().delivered == 1
    assert receiver.ids == [queued["id"]] * 2
    assert receiver.messages[0].body == receiver.messages[1].body
    verify(receiver.messages[1], secret)
    assert receiver.messages[0].headers["webhook-timestamp"] != receiver.messages[1].headers["webhook-timestamp"]


@pytest.mark.usefixtures("database")
def test_the_waits_grow_and_after_the_last_attempt_the_delivery_is_dead(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, clock: Any
) -> None:
    put()
    queue_test()
    receiver.status = 500
    waits = []
    for _ in range(ATTEMPTS):
        deliver()
        (delivery,) = deliveries()
        if delivery["state"] == "pending":
            waits.append(_seconds_until(delivery["next_at"], clock))
            clock.move(seconds=waits[-1])
    assert waits == [5, 15, 45, 135, 405, 1215, 3645, 10935, 21600, 21600, 21600]
    assert (delivery["state"], delivery["attempts"], delivery["next_at"]) == ("dead", ATTEMPTS, None)
    clock.move(days=1)
    deliver()
    assert len(receiver.messages) == ATTEMPTS
    assert [row["id"] for row in deliveries(state="dead")] == [delivery["id"]]
    assert deliveries(state="pending") == []


def test_the_jitter_spreads_the_waits(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Any, clock: Any
) -> None:
    put()
    receiver.status = 500
    for draw in (0.0, 1.0):
        queue_test()
        deliver(draw=lambda draw=draw: draw)
    assert [_seconds_until(row["next_at"], clock) for row in deliveries()] == [4, 6]


@pytest.mark.usefixtures("database")
def test_a_dead_delivery_is_replayed_by_its_id(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, clock: Any, local: Any
) -> None:
    put()
    queued = queue_test()
    path = f"/v1/webhooks/hook/deliveries/{queued['id']}/replay"
    assert local.post(path).json()["code"] == "conflict"
    receiver.status = 500
    for _ in range(ATTEMPTS):
        deliver()
        clock.move(hours=8)
    receiver.status, sent = 200, len(receiver.messages)
    replayed = local.post(path)
    assert (replayed.status_code, replayed.json()["state"], replayed.json()["attempts"]) == (202, "pending", 0)
    deliver()
    assert receiver.ids[sent:] == [queued["id"]]
    assert deliveries()[0]["state"] == "delivered"
    assert local.post(path).status_code == 202, "one that was delivered can be sent again, too"
    assert local.post("/v1/webhooks/hook/deliveries/msg_x/replay").status_code == 404


@pytest.mark.usefixtures("database")
def test_a_receiver_that_is_gone_disables_its_webhook(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, local: Any
) -> None:
    put()
    queue_test()
    queue_test()
    receiver.status = 410
    deliver()
    assert [(row["state"], row["status"]) for row in deliveries()] == [("dead", 410), ("dead", None)]
    webhook = local.get("/v1/webhooks/hook").json()
    assert webhook["enabled"] is False
    assert webhook["disabled_reason"] == "the receiver answered 410: it wants no more events"
    assert len(receiver.messages) == 1
    assert local.post("/v1/webhooks/hook/test").json()["code"] == "conflict"
    assert "webhook.disabled" in [row["action"] for row in local.get("/v1/audit").json()["items"]]
    assert put()["enabled"] is True
    assert local.get("/v1/webhooks/hook").json()["disabled_reason"] is None


def test_a_redirect_is_refused(put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver) -> None:
    put()
    queue_test()
    receiver.status, receiver.location = 307, receiver.url + "/elsewhere"
    deliver()
    assert deliveries()[0]["error"] == "the receiver answered 307; redirects are not followed"
    assert len(receiver.messages) == 1


def test_a_name_that_changes_to_a_private_address_gets_nothing(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(url="https://hooks.example.com/x")
    queue_test()
    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", _resolved_to("169.254.169.254"))
    deliver()
    assert "resolves to 169.254.169.254, which is not public" in deliveries()[0]["error"]
    assert receiver.messages == []


def test_a_host_that_is_not_allowed_any_more_gets_nothing(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, settings: Any
) -> None:
    put()
    queue_test()
    deliver(settings=settings)
    assert "PROMPTUARY_WEBHOOK_HOSTS" in deliveries()[0]["error"]
    assert receiver.messages == []


def test_a_receiver_that_is_not_there_is_a_failed_attempt(put: Any, queue_test: Any, deliver: Any, deliveries: Any) -> None:
    put(url="http://127.0.0.1:9/hook")
    queue_test()
    deliver()
    assert deliveries()[0]["error"].startswith("the webhook at '127.0.0.1' was not reached")


@pytest.mark.usefixtures("database")
def test_two_workers_deliver_an_event_once(put: Any, queue_test: Any, deliver: Any, receiver: Receiver) -> None:
    put()
    ids = [queue_test()["id"] for _ in range(6)]
    both = threading.Barrier(2)

    def work() -> None:
        both.wait(20)
        deliver()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(receiver.ids) == sorted(ids)


@pytest.mark.usefixtures("database")
def test_a_worker_that_dies_after_sending_leaves_the_event_to_the_next(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, clock: Any
) -> None:
    put()
    queued = queue_test()

    class Killed(BaseException):
        pass

    async def send_and_die(*arguments: Any, **more: Any) -> Any:
        await post_json(*arguments, **more)
        raise Killed

    with pytest.raises(Killed):
        deliver(post=send_and_die)
    assert deliveries()[0]["state"] == "pending"
    assert deliver().delivered == 0, "the dead worker's claim still holds"
    clock.move(minutes=2)
    assert deliver().delivered == 1
    assert receiver.ids == [queued["id"]] * 2


@pytest.mark.usefixtures("database")
def test_a_webhook_can_be_removed_while_others_write(put: Any, local: Any, app: Any, receiver: Receiver) -> None:
    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    def register(number: int) -> int:
        body = {"type": "text", "template": f"{number}"}
        return int(
            TestClient(as_operator, base_url="http://127.0.0.1").post(f"/v1/prompts/p{number}/versions", json=body).status_code
        )

    def replace_webhook(_: int) -> int:
        client = TestClient(as_operator, base_url="http://127.0.0.1")
        client.put("/v1/webhooks/hook", json={"url": receiver.url})
        return int(client.delete("/v1/webhooks/hook").status_code)

    put()
    with ThreadPoolExecutor(8) as pool:
        registered = pool.map(register, range(24))
        removed = pool.map(replace_webhook, range(12))
    assert set(registered) == {201}
    assert set(removed) <= {204, 404}


def test_old_deliveries_leave_the_list(put: Any, queue_test: Any, deliver: Any, deliveries: Any, clock: Any) -> None:
    put()
    queue_test()
    deliver()
    clock.move(seconds=(KEPT + timedelta(days=1)).total_seconds())
    newer = queue_test()
    deliver()
    assert [row["id"] for row in deliveries()] == [newer["id"]]


def test_no_secret_is_in_logs_lists_audit_or_errors(
    put: Any, queue_test: Any, deliver: Any, deliveries: Any, receiver: Receiver, local: Any
) -> None:
    secret = put()["secret"]
    queue_test()
    receiver.status = 500
    with capture_logs() as logs:
        deliver()
    pages = [local.get(path).text for path in ("/v1/webhooks", "/v1/webhooks/hook", "/v1/audit")]
    texts = [str(logs), str(deliveries()), *pages]
    for text in texts:
        assert secret.removeprefix("whsec_") not in text
        assert "T0-not-for-logs" not in text


def _seconds_until(timestamp: str, clock: Any) -> float:
    return (datetime.fromisoformat(timestamp) - clock()).total_seconds()


def _resolved_to(address: str) -> Any:
    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        return [(2, 1, 6, "", (address, 0))]

    return getaddrinfo
