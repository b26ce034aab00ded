"""The sample over HTTP: which calls are listed, and what of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog
from sqlmodel import select

from factories.reported_calls import AT, CONTENTS, call, calls
from promptuary.traffic.calls.model_call import (
    Attribution,
    CallContents,
    CallStatus,
    PromptMark,
    ReportedToolCall,
    TokenCounts,
)
from promptuary.traffic.intake.settling.settling import SampleSettling
from promptuary.traffic.tables import FeedbackRow, ObservationRow, ReservoirRow
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
FIRST, SECOND = PromptMark("support.triage", "1", "production"), PromptMark("support.triage", "2", "canary")


@pytest.fixture
def traffic(traffic_of: Callable[..., Traffic]) -> Traffic:
    """Traffic with three calls, which all wait."""
    traffic = traffic_of(traffic_sample=0.5)
    full = {"conversation": "c1", "provider": "openai", "response_model": "small-1", "first_token_ms": 20.0, "cost": 0.0}
    full |= {"user": "ann@example.com", "emitter": "openinference", "attribution": Attribution.SPAN, "finish": "stop"}
    failed = CallContents(error_message="no such model", tool_calls=(ReportedToolCall("t1", "find", {"q": 1}),))
    unknown = {"latency_ms": None, "tokens": TokenCounts(), "error_type": "NotFound", "model": None}
    traffic.take(
        calls(
            call(1, FIRST, **full),
            call(2, SECOND, at=AT - timedelta(hours=1), status=CallStatus.ERROR, contents=failed, **unknown),
            call(3, SECOND, at=AT - timedelta(days=2)),
        )
    )
    return traffic


def settle(traffic: Traffic, clock: Any) -> None:
    clock.move(minutes=11)
    settling = SampleSettling(traffic.database, clock, traffic.intake.settings)
    while settling.step():
        pass


@pytest.fixture
def read(traffic: Traffic, api: Any, bearer: Any) -> Callable[..., Any]:
    headers = bearer("editor")

    def answer(path: str = "/v1/observations", **query: str) -> Any:
        return api.get(path, params={name.rstrip("_"): value for name, value in query.items()}, headers=headers).json()

    return answer


def test_a_call_is_listed_when_its_wait_is_over(traffic: Traffic, read: Any, clock: Any) -> None:
    assert read() == {"items": [], "next_cursor": None}
    waiting = traffic.rows()[0].id
    assert read(f"/v1/observations/{waiting}")["code"] == "not_found"
    settle(traffic, clock)
    assert [item["version"] for item in read()["items"]] == [1, 2, 2]
    assert read(f"/v1/observations/{waiting}")["id"] == waiting


def test_a_call_has_the_shape_of_the_contract(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    first = read()["items"][0]
    user = first.pop("user")
    assert len(user) == 64
    assert user != "ann@example.com"
    assert first == {
        "id": first["id"],
        "prompt": "support.triage",
        "version": 1,
        "label": "production",
        "variant": None,
        "attributed": "span",
        "provider": "openai",
        "model": "small",
        "response_model": "small-1",
        "operation": None,
        "at": "2026-03-02T11:59:00Z",
        "latency_ms": 200.0,
        "first_token_ms": 20.0,
        "status": "ok",
        "error": None,
        "tokens": {"input": 100, "output": 20, "cached": None, "reasoning": None},
        "cost": 0.0,
        "variables": CONTENTS.variables,
        "input": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "My card has not come."}],
        "output": "It is on its way.",
        "tool_calls": [],
        "finish": "stop",
        "conversation": "c1",
        "emitter": "openinference",
        "service": None,
        "stratum": "random",
        "probability": 0.5,
        "redacted": 0,
        "replayable": True,
        "feedback": [],
    }


def test_what_a_call_did_not_report_is_null(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    failed = read(status="error")["items"][0]
    assert failed["error"] == {"type": "NotFound", "message": "no such model"}
    assert failed["tool_calls"] == [{"id": "t1", "name": "find", "arguments": {"q": 1}}]
    assert set(failed["tokens"].values()) == {None}
    nulls = ("latency_ms", "cost", "variables", "input", "output", "user", "model", "attributed", "conversation")
    assert {name: failed[name] for name in nulls} == dict.fromkeys(nulls)
    assert (failed["stratum"], failed["probability"], failed["replayable"]) == ("error", 1.0, False)


def test_the_probability_is_that_of_the_stratum_times_the_threshold(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    with traffic.database.write() as session:
        row = session.exec(select(ReservoirRow).where(ReservoirRow.version == 1)).one()
        row.threshold = 0.25
    assert [item["probability"] for item in read()["items"]] == [0.125, 1.0, 0.5]


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ({"prompt": "support.triage"}, [1, 2, 2]),
        ({"prompt": "support.triage", "version": "2"}, [2, 2]),
        ({"status": "ok"}, [1, 2]),
        ({"stratum": "error"}, [2]),
        ({"stratum": "low_feedback"}, []),
        ({"from": "2026-03-02T00:00:00Z"}, [1, 2]),
        ({"to": "2026-03-02T11:59:00Z"}, [2, 2]),
        ({"feedback": "any"}, [1]),
        ({"feedback": "low"}, [1]),
        ({"feedback": "none"}, [2, 2]),
    ],
)
def test_the_list_is_filtered(traffic: Traffic, read: Any, clock: Any, query: dict[str, str], versions: list[int]) -> None:
    settle(traffic, clock)
    add_feedback(traffic, clock, 0.25)
    assert [item["version"] for item in read(**query)["items"]] == versions


def add_feedback(traffic: Traffic, clock: Any, value: float) -> None:
    with traffic.database.write() as session:
        call = session.exec(select(ObservationRow).where(ObservationRow.version == 1)).one()
        joined = {"project_id": traffic.project, "observation_id": call.id, "prompt_id": call.prompt_id, "version": 1}
        times = {"at": clock(), "created_at": clock()}
        session.add(FeedbackRow(id="f1", name="helpful", value=value, comment="no", correction="yes", **joined, **times))


def test_feedback_is_joined(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    add_feedback(traffic, clock, 0.25)
    [feedback] = read()["items"][0]["feedback"]
    assert (feedback["id"], feedback["name"], feedback["value"]) == ("f1", "helpful", 0.25)
    assert (feedback["comment"], feedback["correction"], feedback["label"]) == ("no", "yes", None)


def test_pages_follow_each_other_without_a_gap(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    ids, cursor = [], None
    while True:
        page = read(limit="1", **({"cursor": cursor} if cursor else {}))
        ids += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert ids == [item["id"] for item in read()["items"]]
    assert len(ids) == 3


def test_a_cursor_of_another_list_is_refused(traffic: Traffic, read: Any) -> None:
    assert read(cursor="ImFiYyI")["code"] == "invalid_cursor"
    assert read(cursor="InwxIg")["code"] == "invalid_cursor"
    assert read(version="1")["code"] == "invalid_request"


def test_contents_that_were_removed_are_null(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    with traffic.database.write() as session:
        for row in session.exec(select(ObservationRow)):
            row.contents = None
    assert [item["input"] for item in read()["items"]] == [None] * 3


@pytest.mark.parametrize("role", ["viewer", "reviewer", "service"])
def test_contents_need_a_scope_of_their_own(traffic: Traffic, api: Any, bearer: Any, role: str) -> None:
    assert api.get("/v1/observations", headers=bearer(role)).status_code == 403


def test_another_project_sees_no_call(traffic: Traffic, api: Any, bearer: Any, clock: Any) -> None:
    settle(traffic, clock)
    headers = bearer("editor", "elsewhere")
    assert api.get("/v1/observations", headers=headers).json()["items"] == []
    assert api.get(f"/v1/observations/{traffic.rows()[0].id}", headers=headers).status_code == 404


def test_reading_contents_is_logged_without_them(traffic: Traffic, read: Any, clock: Any) -> None:
    settle(traffic, clock)
    with structlog.testing.capture_logs() as logged:
        read()
    [entry] = [entry for entry in logged if entry["event"] == "observations read"]
    assert entry["calls"] == 3
    assert entry["identity"].startswith("service:")
    assert "card" not in str(logged)
