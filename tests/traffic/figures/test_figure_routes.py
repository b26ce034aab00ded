"""Traffic over HTTP: what calls that came in are counted as."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from factories.reported_calls import AT, call, calls
from promptuary.traffic.calls.model_call import CallContents, CallStatus, PromptMark, TokenCounts
from promptuary.traffic.tables import HourRow, SeriesRow
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
FIRST, SECOND = PromptMark("support.triage", "1", "production"), PromptMark("support.triage", "2", "canary")
NOTHING = {"latency_ms": None, "tokens": TokenCounts(), "contents": CallContents()}
Read = Callable[..., Any]


@pytest.fixture
def read(api: Any, bearer: Any) -> Read:
    headers = bearer("viewer")

    def answer(path: str = "/v1/prompts/support.triage/traffic", **query: str) -> Any:
        query = {name.rstrip("_"): value for name, value in query.items()}
        response = api.get(path, params=query, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    return answer


@pytest.fixture
def traffic(traffic_of: Callable[..., Traffic]) -> Traffic:
    """Traffic of two versions on two days, and calls whose prompt or version is unknown."""
    traffic = traffic_of(draw=lambda: 1.0)
    yesterday = AT - timedelta(days=1)
    reported = [call(number, FIRST, latency_ms=100.0, cost=0.5) for number in range(1, 9)]
    reported += [call(9, FIRST, at=yesterday, status=CallStatus.ERROR, **NOTHING)]
    reported += [call(10, FIRST, at=yesterday, status=CallStatus.INCOMPLETE, **NOTHING)]
    reported += [call(number, SECOND, latency_ms=1000.0, model="large") for number in (11, 12)]
    reported += [call(13, None), call(14, PromptMark("no.such")), call(15, PromptMark("support.triage", "9"))]
    traffic.take(calls(*reported))
    return traffic


def test_a_prompt_is_counted_by_version(traffic: Traffic, read: Read) -> None:
    answer = read()
    assert (answer["by"], answer["total"]["calls"]) == (["version"], 13)
    unknown, first, second = answer["items"]
    assert [group["version"] for group in answer["items"]] == [None, 1, 2]
    assert [group["calls"] for group in answer["items"]] == [1, 10, 2]
    assert first["errors"]["value"] == 0.1
    assert (first["errors"]["low"], first["errors"]["high"]) == (
        pytest.approx(0.017876, abs=1e-6),
        pytest.approx(0.404150, abs=1e-6),
    )
    assert (first["incomplete"], first["replayable"]["value"]) == (1, 0.8)
    assert first["tokens"] == {"calls": 8, "input": 800, "output": 160, "cached": 0, "reasoning": 0}
    assert first["cost"] == {"calls": 8, "usd": pytest.approx(4.0)}
    assert second["cost"] == {"calls": 0, "usd": None}
    assert (second["feedback"], second["label"]) == (None, None)
    assert answer["totals"] == answer["items"]
    assert unknown["reason"] is None


def test_quantiles_are_within_one_bucket_of_the_latencies(traffic: Traffic, read: Read) -> None:
    answer = read()
    assert answer["bucket_ratio"] == pytest.approx(2**0.5, abs=1e-3)
    _, first, second = answer["items"]
    for latency, exact in ((first["latency_ms"], 100), (second["latency_ms"], 1000)):
        assert latency["mean"] == pytest.approx(exact)
        for name in ("p50", "p95", "p99"):
            assert exact / 2**0.5 <= latency[name] <= exact * 2**0.5


def test_what_no_call_reports_is_null(traffic: Traffic, read: Read) -> None:
    first_day = read(by="version,day")["items"]
    [group] = [group for group in first_day if group["at"] == "2026-03-01T00:00:00Z"]
    assert group["latency_ms"] == {"calls": 0, "mean": None, "p50": None, "p95": None, "p99": None}
    assert group["tokens"] == {"calls": 0, "input": None, "output": None, "cached": None, "reasoning": None}
    assert group["cost"] == {"calls": 0, "usd": None}
    assert group["replayable"]["value"] == 0


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("label", [{"label": None}, {"label": "canary"}, {"label": "production"}]),
        ("model", [{"model": "large", "calls": 2}, {"model": "small", "calls": 11}]),
        ("variant", [{"variant": None, "calls": 13}]),
        ("reason", [{"reason": None, "calls": 12}, {"reason": "unknown_version", "calls": 1}]),
        ("hour", [{"at": "2026-03-01T11:00:00Z", "calls": 2}, {"at": "2026-03-02T11:00:00Z", "calls": 11}]),
        ("day,version", [{"version": None}, {"version": 1, "calls": 2}, {"version": 1, "calls": 8}, {"version": 2}]),
        ("model,version", [{"version": None}, {"version": 1, "model": "small"}, {"version": 2, "model": "large"}]),
    ],
)
def test_calls_are_divided_by_any_of_the_dimensions(
    traffic: Traffic, read: Read, by: str, groups: list[dict[str, Any]]
) -> None:
    items = read(by=by)["items"]
    assert [{name: item[name] for name in group} for item, group in zip(items, groups, strict=True)] == groups


def test_totals_are_the_groups_without_their_time(traffic: Traffic, read: Read) -> None:
    divided, whole = read(by="version,day"), read(by="version")
    assert divided["totals"] == whole["items"]
    assert divided["total"] == whole["total"]
    assert len(divided["items"]) == 4


def test_a_time_is_rounded_to_whole_hours(traffic: Traffic, read: Read) -> None:
    answer = read(from_="2026-03-02T11:30:00Z", to="2026-03-02T11:40:00Z")
    assert (answer["from"], answer["to"]) == ("2026-03-02T11:00:00Z", "2026-03-02T12:00:00Z")
    assert answer["total"]["calls"] == 11
    assert read(to="2026-03-02T11:00:00Z")["total"]["calls"] == 2


def test_the_project_counts_unattributed_calls_with_their_reason(traffic: Traffic, read: Read) -> None:
    answer = read("/v1/traffic")
    assert [(group["prompt"], group["reason"], group["calls"]) for group in answer["items"]] == [
        (None, "no_prompt", 1),
        (None, "unknown_prompt", 1),
        ("support.triage", None, 12),
        ("support.triage", "unknown_version", 1),
    ]
    assert answer["total"]["calls"] == 15


def test_a_prompt_without_traffic_has_no_figures(traffic_of: Any, read: Read) -> None:
    traffic_of()
    answer = read()
    assert (answer["items"], answer["totals"], answer["total"]["calls"]) == ([], [], 0)
    assert answer["total"]["errors"] is None


def test_the_mean_of_feedback_has_an_interval(traffic: Traffic, read: Read) -> None:
    with traffic.database.write() as session:
        series = session.exec(select(SeriesRow.id).where(SeriesRow.label == "canary")).one()
        row = session.exec(select(HourRow).where(HourRow.series_id == series)).one()
        row.feedback, row.feedback_sum, row.feedback_low = 4, 3.0, 1
    feedback = read()["items"][2]
    assert (feedback["feedback"]["value"], feedback["feedback"]["count"], feedback["low_feedback"]) == (0.75, 4, 1)
    assert feedback["feedback"]["low"] == pytest.approx(0.300642, abs=1e-6)
    assert feedback["feedback"]["high"] == pytest.approx(0.954413, abs=1e-6)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"by": "prompt"}, "by"),
        ({"by": "version,version"}, "by"),
        ({"by": "hour,day"}, "by"),
        ({"by": "user"}, "by"),
        ({"by": "version,"}, "by"),
        ({"from": "2026-03-02T12:00:00Z"}, "from"),
        ({"from": "2026-03-02T10:00:00Z", "to": "2026-03-02T09:00:00Z"}, "from"),
        ({"from": "2010-03-02T10:00:00Z"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"version": "1"}, "version"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    traffic: Traffic, api: Any, bearer: Any, query: dict[str, str], path: str
) -> None:
    refused = api.get("/v1/prompts/support.triage/traffic", params=query, headers=bearer("viewer"))
    assert refused.status_code in (400, 422)
    assert path in refused.text


def test_another_project_sees_nothing_of_it(traffic: Traffic, api: Any, bearer: Any) -> None:
    headers = bearer("viewer", "elsewhere")
    assert api.get("/v1/prompts/support.triage/traffic", headers=headers).status_code == 404
    assert api.get("/v1/traffic", headers=headers).json()["total"]["calls"] == 0


def test_the_project_has_quantiles_where_they_are_wanted(traffic: Traffic, read: Read) -> None:
    assert read("/v1/traffic")["total"]["latency_ms"]["p50"] is None
    assert read("/v1/traffic", latency="true")["total"]["latency_ms"]["p50"] > 0


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_period_that_ends_where_there_is_no_time_is_refused(api: Any, bearer: Any, end: str) -> None:
    for path in ("/v1/traffic", "/v1/prompts/support.triage/traffic", "/v1/prompts/support.triage/traffic/comparison"):
        response = api.get(path, params={"to": end, "versions": "1,2"}, headers=bearer("viewer"))
        assert response.status_code == 422, response.text
