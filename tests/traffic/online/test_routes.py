"""Rules for sampled calls, and online scores, over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from factories.clock import ManualClock
from factories.sampled_calls import StoreCalls, StoredCall
from factories.word_embedder import word_embedding_backend
from promptuary.context.retrieval import PassageRetrieval
from promptuary.models.chat_models import ChatModels
from promptuary.traffic.online.scoring import OnlineScorings

CONTAINS = {"type": "icontains", "value": "card", "name": "on_topic"}


@pytest.fixture
def stocked(local: Any) -> Any:
    """A client of a server with the prompt `word` and the queue `production`."""
    assert local.post("/v1/prompts/word/versions", json={"type": "text", "template": "{{text}}"}).status_code == 201
    assert local.put("/v1/queues/production", json={}).status_code in (200, 201)
    return local


def test_a_rule_is_put_read_listed_and_deleted(stocked: Any) -> None:
    body = {"prompt": "word", "queue": "production", "share": 0.01, "scorers": [CONTAINS]}
    put = stocked.put("/v1/traffic/rules/word.all", json=body)
    assert put.status_code == 200, put.text
    rule = put.json()
    assert (rule["queue"], rule["share"], rule["low_feedback"], rule["error"]) == ("production", 0.01, True, None)
    assert stocked.put("/v1/traffic/rules/word.all", json=body).json() == rule
    assert stocked.get("/v1/traffic/rules/word.all").json() == rule
    assert stocked.get("/v1/traffic/rules").json()["items"] == [rule]
    assert stocked.delete("/v1/traffic/rules/word.all").status_code == 204
    assert stocked.get("/v1/traffic/rules/word.all").status_code == 404
    assert stocked.delete("/v1/traffic/rules/word.all").status_code == 404


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"prompt": "wrod"}, "prompt"),
        ({"queue": "missing"}, "queue"),
        ({"queue": "production", "low_feedback": False}, "queue"),
        ({"scorers": []}, "scorers"),
        ({"scorers": [{"type": "equals", "value": "{{expected}}"}]}, "scorers.0.value"),
        ({"scorers": [{"type": "select-best", "value": "best", "model": "echo:"}]}, "scorers.0.type"),
        ({"scorers": [{"type": "strange"}]}, "scorers.0.type"),
        ({"scorers": [CONTAINS, CONTAINS]}, "scorers.1.name"),
        ({"scorers": [{"type": "llm-rubric", "value": "polite", "model": "echo:"}]}, "max_cost"),
        (
            {"scorers": [{"type": "llm-rubric", "value": "polite", "model": "openai:none-such"}], "max_cost": 1.0},
            "scorers.0.model",
        ),
        ({"share": 1.5}, "share"),
        ({"max_cost": 0}, "max_cost"),
    ],
)
def test_a_rule_that_cannot_be_used_names_its_field(stocked: Any, changes: dict[str, Any], path: str) -> None:
    answer = stocked.put("/v1/traffic/rules/r", json={"prompt": "word", "scorers": [CONTAINS]} | changes)
    assert answer.status_code == 422, answer.text
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert stocked.get("/v1/traffic/rules").json()["items"] == []


def test_rules_are_the_leads_and_scores_everybodys(stocked: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    body = {"prompt": "word", "scorers": [CONTAINS]}
    assert api.put("/v1/traffic/rules/r", json=body, headers=bearer("editor")).status_code == 403
    assert api.put("/v1/traffic/rules/r", json=body, headers=bearer("lead")).status_code == 200
    assert api.get("/v1/prompts/word/online-scores", headers=bearer("viewer")).status_code == 200
    assert api.get("/v1/prompts/word/online-scores", headers=bearer("service")).status_code == 403


@pytest.mark.usefixtures("database")
def test_online_scores_are_weighted_by_version_and_day(
    stocked: Any, store_calls: StoreCalls, opened_database: Any, clock: ManualClock, settings: Any
) -> None:
    clock.move(days=-2)
    stocked.put("/v1/traffic/rules/r", json={"prompt": "word", "scorers": [CONTAINS, {"type": "latency", "threshold": 10}]})
    clock.move(days=2)
    yesterday = clock.now - timedelta(days=1)
    store_calls(
        *(StoredCall(f"good-{number}", {"text": "a"}, "your card", probability=0.1) for number in range(10)),
        *(StoredCall(f"bad-{number}", {"text": "a"}, "hello") for number in range(10)),
        StoredCall("early", {"text": "a"}, "a card", at=yesterday),
        StoredCall("empty", {"text": "a"}, None),
    )
    scorings = OnlineScorings(opened_database, clock, settings, None, ChatModels(settings), embed=lambda texts: [])  # type: ignore[arg-type]  # nothing is rendered
    while scorings.step():
        pass
    answer = stocked.get("/v1/prompts/word/online-scores").json()
    total = next(each for each in answer["totals"] if each["metric"] == "on_topic")
    assert (total["version"], total["day"], total["scored"], total["errors"]) == (1, None, 21, 0)
    assert total["interval"]["estimate"] == pytest.approx(101 / 111)
    assert total["interval"]["effective"] == pytest.approx(111**2 / (10 * 100 + 11))
    days = [each for each in answer["days"] if each["metric"] == "on_topic"]
    assert [(each["day"], each["scored"]) for each in days] == [("2026-03-01", 1), ("2026-03-02", 20)]
    again = stocked.get("/v1/prompts/word/online-scores").json()
    assert scorings.step() is False
    assert again == answer


@pytest.mark.usefixtures("database")
def test_inputs_are_compared_with_a_datasets(
    stocked: Any, app: Any, store_calls: StoreCalls, monkeypatch: pytest.MonkeyPatch, opened_database: Any
) -> None:
    cases = [{"id": "c1", "vars": {"text": "my card is lost"}}, {"id": "c2", "vars": {"text": "hello"}}]
    assert stocked.post("/v1/datasets/words/versions", json={"cases": cases}).status_code == 201
    path = "/v1/prompts/word/input-drift"
    assert stocked.get(path, params={"dataset": "words"}).status_code == 422
    store_calls(StoredCall("call-1", {"text": "my card is lost"}, probability=0.5), StoredCall("call-2", None))
    state = app.app.state
    backend = word_embedding_backend(opened_database, state.settings)
    monkeypatch.setattr(state, "retrieval", PassageRetrieval(opened_database, state.clock, backend))
    drift = stocked.get(path, params={"dataset": "words"}).json()
    assert (drift["calls"], drift["cases"]) == (1, 2)
    assert drift["nearest"]["p50"] == pytest.approx(1)
    assert drift["farthest"][0]["case"] == "c1"
    assert stocked.get(path, params={"dataset": "missing"}).status_code == 404
