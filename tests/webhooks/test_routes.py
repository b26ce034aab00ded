"""Webhooks over HTTP: who writes them, what is refused, and where the secret is."""

from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import Webhook

from webhooks.receiver import Receiver


@pytest.mark.usefixtures("database")
def test_the_secret_is_in_the_answer_that_creates_it_alone(put: Any, local: Any, receiver: Receiver) -> None:
    created = put(events=["label.moved", "label.moved"])
    assert created["secret"].startswith("whsec_")
    assert Webhook(created["secret"])
    assert (created["events"], created["enabled"], len(created["secrets"])) == (["label.moved"], True, 1)
    assert created["url"] == receiver.url.removesuffix("/hook/T0-not-for-logs") + "/…"
    changed = put(enabled=False)
    assert (changed["secret"], changed["events"], changed["enabled"]) == (None, None, False)
    assert changed["secrets"] == created["secrets"]
    assert local.get("/v1/webhooks/hook").json() == changed
    assert local.get("/v1/webhooks").json()["items"] == [changed]


def test_a_retried_creation_does_not_show_the_secret_again(local: Any, receiver: Receiver) -> None:
    headers, body = {"Idempotency-Key": "once"}, {"url": receiver.url}
    first = local.put("/v1/webhooks/hook", json=body, headers=headers)
    again = local.put("/v1/webhooks/hook", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["secret"] == "whsec_[redacted]"


@pytest.mark.usefixtures("database")
def test_a_rotated_secret_signs_beside_the_new_one(put: Any, local: Any, deliver: Any, receiver: Receiver, clock: Any) -> None:
    first = put()["secret"]
    second = local.post("/v1/webhooks/hook/secrets", json={"keep_hours": 2}).json()
    assert [secret["expires_at"] for secret in second["secrets"]] == [None, "2026-03-02T14:00:00Z"]

    def signatures() -> list[str]:
        local.post("/v1/webhooks/hook/test").raise_for_status()
        deliver()
        return receiver.messages[-1].headers["webhook-signature"].split(" ")

    def expected(secret: str) -> str:
        message = receiver.messages[-1]
        return Webhook(secret).sign(message.headers["webhook-id"], clock(), message.body.decode())

    assert signatures() == [expected(second["secret"]), expected(first)]
    clock.move(hours=2)
    assert signatures() == [expected(second["secret"])]
    third = local.post("/v1/webhooks/hook/secrets", json={"keep_hours": 0}).json()
    assert signatures() == [expected(third["secret"])]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"url": "https://evil.example/x"}, 422, "PROMPTUARY_WEBHOOK_HOSTS"),
        ({"url": "http://hooks.example.com/x"}, 422, "by https only"),
        ({"url": "https://user:pw@hooks.example.com/x"}, 422, "contains a user or password"),
        ({"url": "file:///etc/passwd"}, 422, "must begin with https://"),
        ({"url": "https://hooks.example.com/x", "events": []}, 422, "at least 1"),
        ({"url": "https://hooks.example.com/x", "events": ["nothing"]}, 422, "version.created"),
        ({"url": "https://hooks.example.com/x", "secret": "whsec_abc"}, 422, "secret"),
        ({}, 422, "url"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(local: Any, body: Any, status: int, text: str) -> None:
    response = local.put("/v1/webhooks/hook", json=body)
    assert response.status_code == status
    assert text in response.text
    assert "pw@" not in response.text
    assert local.get("/v1/webhooks").json()["items"] == []


def test_without_a_listed_host_no_webhook_can_be_written(settings: Any, opened_database: Any, clock: Any, bearer: Any) -> None:
    from starlette.testclient import TestClient

    from promptuary.api.app import create_app

    app = create_app(settings, database=opened_database, clock=clock)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        response = client.put("/v1/webhooks/hook", json={"url": "https://hooks.example.com/"}, headers=bearer("admin"))
    assert (response.status_code, response.json()["code"]) == (422, "webhook_refused")


@pytest.mark.parametrize("role", ["reader", "reviewer", "ci", "author"])
def test_roles_below_the_administrator_have_no_webhooks(api: Any, bearer: Callable[..., Any], role: str) -> None:
    response = api.get("/v1/webhooks", headers=bearer(role))
    assert response.status_code == 403
    assert "webhook:manage" in response.text


@pytest.mark.usefixtures("database")
def test_a_removed_webhook_is_gone_with_what_was_pending(
    put: Any, local: Any, deliver: Any, receiver: Receiver, register: Any
) -> None:
    put()
    register("a", "Hi")
    assert local.delete("/v1/webhooks/hook").status_code == 204
    deliver()
    assert receiver.messages == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secrets"), ("GET", "/deliveries")):
        assert local.request(method, f"/v1/webhooks/hook{path}").status_code == 404
    actions = [row["action"] for row in local.get("/v1/audit").json()["items"]]
    assert [action for action in actions if action.startswith("webhook.")] == ["webhook.created", "webhook.removed"]


def test_a_project_sees_its_own_webhooks_alone(api: Any, bearer: Any, receiver: Receiver) -> None:
    own, other = bearer("admin"), bearer("admin", "other")
    api.put("/v1/webhooks/hook", json={"url": receiver.url}, headers=own).raise_for_status()
    delivery = api.post("/v1/webhooks/hook/test", headers=own).json()["id"]
    assert api.get("/v1/webhooks", headers=other).json()["items"] == []
    for path in ("", "/deliveries"):
        assert api.get(f"/v1/webhooks/hook{path}", headers=other).status_code == 404
    api.put("/v1/webhooks/hook", json={"url": receiver.url}, headers=other).raise_for_status()
    assert api.post(f"/v1/webhooks/hook/deliveries/{delivery}/replay", headers=other).status_code == 404


def test_lists_come_in_pages(put: Any, local: Any) -> None:
    for name in ("a", "b", "c"):
        put(name)
    page = local.get("/v1/webhooks?limit=2").json()
    assert [row["name"] for row in page["items"]] == ["a", "b"]
    rest = local.get("/v1/webhooks", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert ([row["name"] for row in rest["items"]], rest["next_cursor"]) == (["c"], None)
    ids = [local.post("/v1/webhooks/a/test").json()["id"] for _ in range(3)]
    page = local.get("/v1/webhooks/a/deliveries?limit=2").json()
    assert [row["id"] for row in page["items"]] == ids[:0:-1]
    rest = local.get("/v1/webhooks/a/deliveries", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [row["id"] for row in rest["items"]] == ids[:1]


def test_a_project_has_at_most_fifty_webhooks(put: Any, local: Any, receiver: Receiver) -> None:
    for number in range(50):
        put(f"hook{number}")
    response = local.put("/v1/webhooks/more", json={"url": receiver.url})
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    put("hook7", enabled=False)
