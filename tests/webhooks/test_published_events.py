"""What is published: every event has a model, every body fits its model, and an import publishes nothing of the past."""

import json
from typing import Any

from promptuary.api.webhook_events import EVENT_DATA, event_model
from promptuary.registry.events.event import EventKind
from promptuary.webhooks.event_type import EventType
from webhooks.receiver import Receiver


def test_every_event_of_the_stream_is_one_of_webhooks_and_has_a_model() -> None:
    assert {str(kind) for kind in EventKind} <= set(EventType)
    assert EVENT_DATA.keys() == set(EventType)


def test_every_event_of_prompts_is_published_and_fits_its_model(
    put: Any, register: Any, local: Any, deliver: Any, receiver: Receiver
) -> None:
    put()
    register("a", "Hi", labels=["production"])
    register("a", "Hello")
    path = "/v1/prompts/a"
    split = {"split": [{"version": 1, "weight": 1}, {"version": 2, "weight": 1}]}
    local.put(f"{path}/labels/production", json=split).raise_for_status()
    local.post(f"{path}/labels/production/rollback", json={"reason": "worse"}).raise_for_status()
    local.request("DELETE", f"{path}/labels/production").raise_for_status()
    local.post(f"{path}/archive", json={}).raise_for_status()
    local.post(f"{path}/restore", json={}).raise_for_status()
    tag = {"name": "a", "version": "2", "key": "team", "value": "x"}
    local.post("/api/2.0/mlflow/model-versions/set-tag", json=tag).raise_for_status()
    local.post(f"{path}/versions/1/erase", json={"reason": "a name in it"}).raise_for_status()
    local.post("/v1/webhooks/hook/test").raise_for_status()
    deliver()
    bodies = [json.loads(message.body) for message in receiver.messages]
    for body in bodies:
        event_model(EventType(body["type"])).model_validate(body)
    assert {body["type"] for body in bodies} == {*EventKind, "webhook.test"}
    revisions = [body["data"]["revision"] for body in bodies if "revision" in body["data"]]
    assert revisions == sorted(set(revisions))


def test_an_import_publishes_nothing_of_the_past(put: Any, local: Any, register: Any, deliver: Any, receiver: Any) -> None:
    register("a", "Hi", labels=["production"])
    version = local.get("/v1/prompts/a/versions/1").json()
    put()
    content = {key: version[key] for key in ("type", "template", "format", "variables")}
    entry = {"version": 1, "digest": version["digest"], "author": "them", "created_at": version["created_at"], **content}
    response = local.post("/v1/prompts/b/import", json={"versions": [entry]})
    assert response.status_code == 200, response.text
    deliver()
    assert receiver.messages == []


def test_the_openapi_document_describes_each_event(app: Any) -> None:
    described = app.app.openapi()
    assert described["webhooks"].keys() == set(EventType)
    body = described["webhooks"]["label.moved"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    model = described["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert model["properties"].keys() == {"type", "timestamp", "data"}
    assert "LabelMovedData" in described["components"]["schemas"]
