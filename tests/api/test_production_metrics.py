"""/metrics of prompts in production: bounded labels, and figures over the last hours."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from api.test_metrics import figures
from factories.reported_calls import AT, call, calls
from promptuary.api import production_metrics
from promptuary.traffic.calls.model_call import CallStatus, PromptMark
from traffic.intake.conftest import Traffic, traffic_of

__all__ = ["traffic_of"]
FIRST, SECOND = PromptMark("support.triage", "1"), PromptMark("support.triage", "2")


@pytest.mark.usefixtures("database")
def test_traffic_is_counted_by_version_over_two_windows(local: Any, traffic_of: Callable[..., Traffic]) -> None:
    earlier = AT - timedelta(hours=5)
    reported = [call(1, FIRST, cost=0.5), call(2, FIRST, status=CallStatus.ERROR), call(3, FIRST, at=earlier), call(4, None)]
    traffic_of(draw=lambda: 1.0).take(calls(*reported))
    text = local.get("/metrics").text
    triage = ("default", "support.triage", "1")
    assert figures(text, "promptuary_traffic_calls") == {
        (*triage, "hour"): 2.0,
        ("default", "", "", "hour"): 1.0,
        (*triage, "day"): 3.0,
        ("default", "", "", "day"): 1.0,
    }
    assert figures(text, "promptuary_traffic_errors")[(*triage, "hour")] == 1.0
    assert figures(text, "promptuary_traffic_cost_usd") == {(*triage, "hour"): 0.5, (*triage, "day"): 0.5}
    assert figures(text, "promptuary_traffic_feedback_mean") == {}
    assert 0.14 < figures(text, "promptuary_traffic_latency_seconds")[("default", "support.triage", "0.95", "1", "hour")] < 0.29


def test_labels_are_bounded(
    sqlite: Any, local: Any, traffic_of: Callable[..., Traffic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production_metrics, "VERSIONS_LIMIT", 1)
    traffic_of(draw=lambda: 1.0).take(calls(call(1, FIRST), call(2, FIRST), call(3, SECOND), call(4, None)))
    counted = figures(local.get("/metrics").text, "promptuary_traffic_calls")
    assert {key[:3]: value for key, value in counted.items() if key[3] == "hour"} == {
        ("default", "support.triage", "1"): 2.0,
        ("other", "other", "other"): 2.0,
    }


def test_lookups_are_counted_by_version(sqlite: Any, api: Any, bearer: Any, traffic_of: Callable[..., Traffic]) -> None:
    traffic_of()
    headers = bearer("service")
    for query in ("version=1", "version=1", "label=latest"):
        assert api.get(f"/v1/prompts/support.triage?{query}", headers=headers).status_code == 200
    text = api.get("/metrics", headers=bearer("operator")).text
    assert figures(text, "promptuary_lookups_total") == {
        ("default", "support.triage", "1"): 2.0,
        ("default", "support.triage", "2"): 1.0,
    }


def test_the_age_of_the_oldest_message_and_open_items_are_reported(sqlite: Any, local: Any, unit_as: Any, clock: Any) -> None:
    from promptuary.core import outbox

    with unit_as("editor") as unit:
        outbox.enqueue(unit.session, "webhook", {"alert": 1}, unit.clock())
    clock.move(seconds=90)
    local.put("/v1/queues/triage", json={"slots": 2})
    local.post("/v1/queues/triage/items", json={"items": [{"source": "a", "payload": {"output": "x"}}]})
    text = local.get("/metrics").text
    assert figures(text, "promptuary_outbox_oldest_seconds")[("webhook",)] == 90.0
    assert figures(text, "promptuary_outbox_oldest_seconds")[("mlflow",)] == 0.0
    assert figures(text, "promptuary_review_open_items") == {("default", "triage"): 1.0}
