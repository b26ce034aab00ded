"""Two versions side by side over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.reported_calls import call, calls
from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.models.chat_models import ChatModels
from promptuary.traffic.calls.model_call import CallStatus, PromptMark
from promptuary.traffic.online.scoring import OnlineScorings
from traffic.intake.conftest import Traffic, traffic_of

__all__ = ["traffic_of"]
pytestmark = pytest.mark.usefixtures("database")
OLD, NEW = PromptMark("support.triage", "1"), PromptMark("support.triage", "2")
PATH = "/v1/prompts/support.triage/traffic/comparison"


@pytest.fixture(autouse=True)
def _within_an_hour(clock: Any) -> None:
    """Let the present be inside an hour, whose calls are counted."""
    clock.move(minutes=10)


def compared(local: Any, **query: Any) -> dict[str, Any]:
    answer = local.get(PATH, params={"baseline": 1, "candidate": 2, **query})
    assert answer.status_code == 200, answer.text
    return {figure["name"]: figure for figure in answer.json()["figures"]}


def test_a_version_that_fails_more_and_is_slower_is_worse(local: Any, traffic_of: Callable[..., Traffic], clock: Any) -> None:
    now = clock.now
    reported = [call(number, OLD, at=now, latency_ms=100.0, cost=0.5) for number in range(100)]
    reported += [call(100 + number, NEW, at=now, latency_ms=1000.0, cost=0.25) for number in range(80)]
    reported += [call(200 + number, NEW, at=now, status=CallStatus.ERROR, latency_ms=1000.0) for number in range(20)]
    traffic_of(draw=lambda: 1.0).take(calls(*reported))
    figures = compared(local)
    assert (figures["calls"]["baseline"], figures["calls"]["candidate"], figures["calls"]["finding"]) == (100, 100, None)
    errors = figures["errors"]
    assert (errors["baseline"], errors["candidate"], errors["finding"]) == (0.0, 0.2, "worse")
    assert 0.1 < errors["difference"]["low"] < 0.2 == errors["difference"]["estimate"] < errors["difference"]["high"]
    assert {figures[f"latency_p{share}_ms"]["finding"] for share in (50, 95, 99)} == {"worse"}
    assert (figures["cost_usd"]["baseline"], figures["cost_usd"]["candidate"]) == (0.5, 0.25)
    assert (figures["cost_usd"]["difference"], figures["feedback"]["baseline"]) == (None, None)
    swapped = compared(local, baseline=2, candidate=1)
    assert swapped["errors"]["finding"] == "better"


def test_versions_that_are_alike_are_unclear(local: Any, traffic_of: Callable[..., Traffic], clock: Any) -> None:
    reported = [call(number, (OLD, NEW)[number % 2], at=clock.now, latency_ms=float(number + 50)) for number in range(60)]
    traffic_of(draw=lambda: 1.0).take(calls(*reported))
    for version, values in ((1, (1, 1, 0, 1)), (2, (1, 0, 1, 1))):
        for value in values:
            body = {"prompt": "support.triage", "version": version, "value": value}
            assert local.post("/v1/feedback", json=body).status_code == 201
    figures = compared(local)
    assert {figures[name]["finding"] for name in ("errors", "latency_p50_ms", "feedback", "low_feedback")} == {"unclear"}
    assert (figures["feedback"]["baseline"], figures["low_feedback"]["candidate"]) == (0.75, 0.25)


def test_online_scores_are_weighted_by_what_calls_stand_for(
    local: Any, traffic_of: Callable[..., Traffic], store_calls: StoreCalls, opened_database: Any, clock: Any, settings: Any
) -> None:
    traffic_of(draw=lambda: 1.0)
    clock.move(days=-1)
    rule = {"prompt": "support.triage", "scorers": [{"type": "icontains", "value": "card", "name": "on_topic"}]}
    assert local.put("/v1/traffic/rules/r", json=rule).status_code == 200
    clock.move(days=1)
    store_calls(
        *(StoredCall(f"old-{number}", {}, "a card", probability=0.1) for number in range(40)),
        *(StoredCall(f"off-{number}", {}, "hello") for number in range(10)),
        *(StoredCall(f"new-{number}", {}, "hello", version=2, probability=0.1) for number in range(40)),
        prompt="support.triage",
    )
    scorings = OnlineScorings(opened_database, clock, settings, None, ChatModels(settings), embed=lambda texts: [])  # type: ignore[arg-type]  # nothing is rendered
    while scorings.step():
        pass
    score = compared(local)["score:on_topic"]
    assert (score["baseline"], score["candidate"], score["finding"]) == (pytest.approx(400 / 410), 0.0, "worse")


def test_versions_without_traffic_have_no_figures(local: Any, traffic_of: Callable[..., Traffic]) -> None:
    traffic_of()
    figures = compared(local)
    assert (figures["calls"]["baseline"], figures["errors"]["difference"], figures["errors"]["finding"]) == (0, None, None)


@pytest.mark.parametrize(
    ("query", "status"),
    [({"candidate": 3}, 404), ({"candidate": 1}, 422), ({"baseline": 0}, 422), ({"from": "2027-01-01T00:00:00Z"}, 422)],
)
def test_what_cannot_be_compared_is_refused(
    local: Any, traffic_of: Callable[..., Traffic], query: dict[str, Any], status: int
) -> None:
    traffic_of()
    assert local.get(PATH, params={"baseline": 1, "candidate": 2, **query}).status_code == status
