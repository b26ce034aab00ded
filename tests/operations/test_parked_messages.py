"""Messages that were refused too often: an operator sees them everywhere, and retries or drops them."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from promptuary.core.outbox import MAX_TRIES, enqueue, relay

PARKED = "/v1/outbox/parked"


@pytest.fixture
def park(opened_database: Any, clock: Any) -> Any:
    """Park messages to Chroma with these numbers."""

    def refuse(payload: dict[str, Any]) -> None:
        raise ValueError(f"{payload['n']} is refused")

    def park_messages(*numbers: int) -> None:
        with opened_database.write() as session:
            for number in numbers:
                enqueue(session, "chroma", {"n": number}, clock())
        for _ in range(MAX_TRIES):
            relay(opened_database, clock, "chroma", refuse)
            clock.move(minutes=1)

    return park_messages


@pytest.mark.usefixtures("database")
def test_parked_messages_are_listed_retried_and_dropped(local: Any, park: Any) -> None:
    park(7, 8, 9)
    first = local.get(PARKED, params={"limit": 2}).json()
    second = local.get(PARKED, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    messages = [*first["items"], *second["items"]]
    assert [message["payload"] for message in messages] == [{"n": 7}, {"n": 8}, {"n": 9}]
    assert {(message["topic"], message["attempts"]) for message in messages} == {("chroma", MAX_TRIES)}
    assert messages[0]["error"] == "ValueError: 7 is refused"
    assert local.post(f"{PARKED}/{messages[0]['id']}/retry").json()["payload"] == {"n": 7}
    assert local.delete(f"{PARKED}/{messages[1]['id']}").status_code == 204
    assert [message["payload"] for message in local.get(PARKED).json()["items"]] == [{"n": 9}]
    for message in messages[:2]:
        assert local.post(f"{PARKED}/{message['id']}/retry").status_code == 404
        assert local.delete(f"{PARKED}/{message['id']}").status_code == 404
    actions = [entry["action"] for entry in local.get("/v1/audit").json()["items"]]
    assert {"message.retried", "message.dropped"} <= set(actions)


def test_parked_messages_are_counted_in_the_metrics_by_topic(local: Any, park: Any) -> None:
    park(1, 2)
    families = {family.name: family for family in text_string_to_metric_families(local.get("/metrics").text)}
    counts = {sample.labels["topic"]: sample.value for sample in families["promptuary_outbox_parked"].samples}
    assert counts == {"chroma": 2, "prompts": 0, "mlflow": 0, "webhook": 0, "webhook_deliveries": 0}


@pytest.mark.parametrize("role", ["admin", "author", "reader"])
def test_nobody_but_an_operator_sees_them(api: Any, bearer: Any, role: str) -> None:
    headers = bearer(role)
    assert api.get(PARKED, headers=headers).status_code == 403
    assert api.post(f"{PARKED}/1/retry", headers=headers).status_code == 403
    assert api.delete(f"{PARKED}/1", headers=headers).status_code == 403
