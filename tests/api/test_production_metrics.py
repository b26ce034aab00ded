"""/metrics of prompts in production: bounded labels, and figures over the last hours."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from api.test_metrics import figures
from factories.reported_calls import AT, call, calls
from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.api import production_metrics
from promptuary.models.chat_models import ChatModels
from promptuary.traffic.calls.model_call import CallStatus, PromptMark
from promptuary.traffic.online.scoring import OnlineScorings
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


ON_TOPIC = {"type": "icontains", "value": "card", "name": "on_topic"}


@pytest.fixture
def score(opened_database: Any, clock: Any, settings: Any) -> Callable[[], None]:
    """Score the sampled calls, as the worker does."""

    def run() -> None:
        scorings = OnlineScorings(opened_database, clock, settings, None, ChatModels(settings), embed=lambda texts: [])  # type: ignore[arg-type]  # nothing is rendered
        while scorings.step():
            pass

    return run


@pytest.mark.usefixtures("database")
def test_online_scores_are_weighted_means_by_version(
    local: Any, traffic_of: Callable[..., Traffic], store_calls: StoreCalls, clock: Any, score: Callable[[], None]
) -> None:
    now = clock.now
    traffic_of(draw=lambda: 1.0).take(calls(call(1, FIRST, at=now), call(2, FIRST, at=now), call(3, SECOND, at=now)))
    clock.move(days=-2)
    rule = {"prompt": "support.triage", "scorers": [ON_TOPIC, {"type": "latency", "threshold": 10}]}
    assert local.put("/v1/traffic/rules/r", json=rule).status_code == 200
    clock.move(days=2)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    store_calls(
        *(StoredCall(f"good-{number}", {}, "your card", probability=0.1) for number in range(3)),
        StoredCall("bad", {}, "hello"),
        StoredCall("yesterday", {}, "hello", probability=0.5, threshold=0.25, at=midnight - timedelta(minutes=1)),
        StoredCall("old", {}, "hello", at=now - timedelta(hours=25)),
        StoredCall("second", {}, "hello", version=2),
        prompt="support.triage",
    )
    score()
    text = local.get("/metrics").text
    first, second = ("default", "support.triage", "on_topic", "1"), ("default", "support.triage", "on_topic", "2")
    means = figures(text, "promptuary_online_score_mean")
    assert means[first] == pytest.approx(30 / (30 + 1 + 8))
    assert means[second] == 0.0
    assert figures(text, "promptuary_online_scored_calls")[first] == 5.0
    assert figures(text, "promptuary_online_score_errors")[first] == 0.0
    assert len(means) == 4


@pytest.mark.usefixtures("database")
def test_versions_without_a_rule_or_a_score_have_no_online_metrics(
    local: Any, traffic_of: Callable[..., Traffic], clock: Any, score: Callable[[], None]
) -> None:
    traffic_of(draw=lambda: 1.0).take(calls(call(1, FIRST, at=clock.now)))
    assert figures(local.get("/metrics").text, "promptuary_online_score_mean") == {}
    assert local.put("/v1/traffic/rules/r", json={"prompt": "support.triage", "scorers": [ON_TOPIC]}).status_code == 200
    score()
    assert figures(local.get("/metrics").text, "promptuary_online_scored_calls") == {}


def test_the_scorers_with_labels_are_bounded(
    sqlite: Any,
    local: Any,
    traffic_of: Callable[..., Traffic],
    store_calls: StoreCalls,
    clock: Any,
    score: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(production_metrics, "SCORERS_LIMIT", 2)
    traffic_of(draw=lambda: 1.0).take(calls(call(1, FIRST, at=clock.now)))
    scorers = [ON_TOPIC | {"name": name} for name in ("c", "a", "b")]
    clock.move(days=-1)
    assert local.put("/v1/traffic/rules/r", json={"prompt": "support.triage", "scorers": scorers}).status_code == 200
    clock.move(days=1)
    store_calls(StoredCall("one", {}, "your card"), prompt="support.triage")
    score()
    means = figures(local.get("/metrics").text, "promptuary_online_score_mean")
    assert {key[2] for key in means} == {"a", "b"}


@pytest.mark.usefixtures("database")
def test_label_moves_are_counted_by_kind(local: Any, traffic_of: Callable[..., Traffic], clock: Any) -> None:
    traffic_of()
    clock.move(days=-2)
    labels = "/v1/prompts/support.triage/labels"
    assert local.put(f"{labels}/production", json={"version": 1}).status_code in (200, 201)
    clock.move(days=2)
    for version in (2, 1, 2):
        assert local.put(f"{labels}/production", json={"version": version}).status_code == 200
    assert local.post(f"{labels}/production/rollback", json={}).status_code == 200
    assert local.delete(f"{labels}/production").status_code in (200, 204)
    assert figures(local.get("/metrics").text, "promptuary_label_moves") == {
        ("move", "default"): 3.0,
        ("rollback", "default"): 1.0,
        ("removal", "default"): 1.0,
    }
