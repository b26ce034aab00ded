"""The traffic page, in front of responses of the API."""

from collections.abc import Callable
from typing import Any

import pytest

PageText = Callable[[Any], str]
SHARE = {"value": 0.25, "low": 0.1, "high": 0.5, "count": 8}


def figures(calls: int, **more: Any) -> dict[str, Any]:
    unknown = {"calls": 0, "mean": None, "p50": None, "p95": None, "p99": None}
    return {
        "calls": calls,
        "errors": SHARE,
        "incomplete": 0,
        "latency_ms": unknown,
        "tokens": {"calls": 0, "input": None, "output": None},
        "cost": {"calls": 0, "usd": None},
        "feedback": None,
        "low_feedback": 0,
        "replayable": SHARE,
        "redacted": 0,
        "prompt": None,
        "reason": None,
        "version": None,
        "at": None,
        **more,
    }


def traffic(*groups: dict[str, Any]) -> dict[str, Any]:
    total = figures(sum(group["calls"] for group in groups))
    return {"bucket_ratio": 1.414, "items": list(groups), "totals": list(groups), "total": total}


CALL = {
    "id": "o1",
    "prompt": "triage",
    "version": 2,
    "label": None,
    "variant": None,
    "attributed": "span",
    "provider": None,
    "model": "m",
    "response_model": None,
    "at": "2026-03-02T12:00:00Z",
    "latency_ms": None,
    "first_token_ms": None,
    "status": "ok",
    "error": None,
    "tokens": {"input": None, "output": None, "cached": None, "reasoning": None},
    "cost": None,
    "variables": {"ticket": "lost"},
    "input": [{"role": "user", "content": "hello *there*"}],
    "output": None,
    "tool_calls": [{"id": "t1", "name": "find", "arguments": {"q": 1}}],
    "finish": "tool_calls",
    "conversation": None,
    "emitter": "openinference",
    "stratum": "random",
    "probability": 0.05,
    "redacted": 3,
    "feedback": [
        {"name": "helpful", "value": 0, "label": None, "comment": "no", "correction": None, "at": "2026-03-02T12:00:00Z"}
    ],
}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    day = {"at": "2026-03-02T00:00:00Z"}
    return {
        "/v1/traffic": traffic(figures(12, prompt="triage"), figures(3, reason="no_prompt")),
        "/v1/prompts/triage/traffic": traffic(figures(4, version=1, **day), figures(8, version=2, **day)),
        "/v1/observations": {"items": [CALL], "next_cursor": None},
    }


def test_without_traffic_the_page_shows_how_to_send_it(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses["/v1/traffic"] = traffic(figures(3, reason="no_prompt"))
    page = open_page("traffic")
    assert "No call has been counted" in page_text(page)
    assert "/v1/otlp" in page.code[0].value
    assert "names no prompt" in str(page.dataframe[0].value)


def test_what_is_not_known_is_empty_and_not_zero(open_page: Any, page_text: PageText) -> None:
    page = open_page("traffic")
    table = page.dataframe[0].value
    assert list(table["Version"]) == ["v1", "v2"]
    assert list(table["Errors"]) == ["25.0 %  [10.0, 50.0]"] * 2
    assert list(table["Tokens in"]) == list(table["Cost"]) == list(table["p95"]) == ["", ""]
    assert [metric.value for metric in page.metric] == ["12", "25.0 %", "not known", "none", "not known"]


def test_figures_come_from_one_request(open_page: Any, requests: list[Any]) -> None:
    open_page("traffic")
    paths = [request.url.path for request in requests]
    assert paths.count("/v1/prompts/triage/traffic") == paths.count("/v1/traffic") == 1


def test_a_sampled_call_is_shown_as_text(open_page: Any, page_text: PageText) -> None:
    text = page_text(open_page("traffic", ("observation:read",)))
    for part in ("hello *there*", '"ticket": "lost"', '"q": 1', "probability 0.05", "3 passages were removed", "helpful"):
        assert part in text, part


def test_contents_need_the_scope_to_read_them(open_page: Any, page_text: PageText, requests: list[Any]) -> None:
    assert "Sampled calls" not in page_text(open_page("traffic"))
    assert "/v1/observations" not in [request.url.path for request in requests]


def test_two_versions_are_compared_on_demand(
    open_page: Any, page_text: PageText, responses: dict[str, Any], requests: list[Any]
) -> None:
    difference = {"estimate": 0.2, "low": 0.1, "high": 0.3}
    responses["/v1/prompts/triage/traffic/comparison"] = {
        "figures": [
            {"name": "errors", "baseline": 0.0, "candidate": 0.2, "difference": difference, "finding": "worse"},
            {"name": "cost_usd", "baseline": None, "candidate": 0.5, "difference": None, "finding": None},
            {"name": "score:tone", "baseline": 0.5, "candidate": 0.5, "difference": None, "finding": "unclear"},
        ]
    }
    page = open_page("traffic")
    page.toggle(key="traffic.compare").set_value(True).run()
    assert "v2 is worse than v1 in: Errors (share)." in page_text(page)
    [table] = [each.value for each in page.dataframe if "Finding" in each.value]
    assert list(table["Figure"]) == ["Errors (share)", "Cost a call ($)", "Score tone"]
    assert list(table["95 % interval"]) == ["[+0.1, +0.3]", "", ""]
    [query] = [dict(request.url.params) for request in requests if request.url.path.endswith("/comparison")]
    assert (query["baseline"], query["candidate"]) == ("1", "2")
