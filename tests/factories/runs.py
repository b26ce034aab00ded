"""A finished run as the API returns it, and the steps that tests of its pages share."""

from typing import Any

import httpx

Requests = list[httpx.Request]
RUN = "run_1"
INTERVAL = {"estimate": 0.75, "low": 0.625, "high": 0.875, "level": 0.95, "method": "t", "n": 8, "clusters": None}
FIGURES = {"interval": INTERVAL, "scored": 8, "unscored": 0}
COMPARISON = {
    "candidate": "v2",
    "baseline": "v1",
    "metric": "exact",
    "interval": {**INTERVAL, "estimate": -0.5, "low": -0.75, "high": 0.25},
    "cases": 8,
    "better": ["a"],
    "worse": ["b", "c"],
}
SUMMARY = {
    "verdict": "inconclusive",
    "metrics": ["exact"],
    "cases": 8,
    "results": 16,
    "errors": 1,
    "unrunnable": 1,
    "variants": [
        {
            "name": "v2",
            "role": "candidate",
            "model": "local:m",
            "prompt": "triage",
            "version": 2,
            "results": 8,
            "errors": 1,
            "latency_ms": {"median": 120.4, "slowest": 2400.0},
            "tokens": {"input": 1200, "output": 300},
            "cost": 0.0123,
            "metrics": {"exact": FIGURES},
        },
        {
            "name": "v1",
            "role": "baseline",
            "model": "local:m",
            "prompt": "triage",
            "version": 1,
            "metrics": {"exact": {"interval": None}},
        },
    ],
    "comparisons": [COMPARISON],
    "gates": [
        {
            "metric": "exact",
            "verdict": "inconclusive",
            "kind": "at_least",
            "bound": 0.7,
            "sentence": "exact of v2 is *0.750*; the interval contains 0.700",
        }
    ],
}
HEAD = {
    "id": RUN,
    "suite": "triage",
    "prompt": "support.triage",
    "variants": [{"name": "v2", "role": "candidate"}, {"name": "v1", "role": "baseline"}],
    "total": 16,
    "done": 16,
    "actor": "key:ci",
    "spent": 0.5,
    "schedule": "nightly",
    "created_at": "2026-03-02T12:00:00Z",
    "started_at": "2026-03-02T12:00:00Z",
    "finished_at": "2026-03-02T12:01:05Z",
}
FINISHED = {**HEAD, "state": "finished", "verdict": "inconclusive"}
RUNNING = {**HEAD, "done": 4, "state": "running", "finished_at": None}
HOSTILE = "![x](http://a) <b>in</b> :material/home: $1$"
RESULTS = [
    {
        "case": "a",
        "variant": "v2",
        "pass": True,
        "score": 1.0,
        "output": HOSTILE,
        "metrics": {"exact": 1.0},
        "vars": {"t": "in"},
        "tags": ["short"],
        "cluster": "north",
        "latency_ms": 1234.0,
        "tokens_input": 10,
        "tokens_output": 5,
        "cost": 0.25,
        "cached": True,
        "detail": {
            "scores": {
                "exact": {"passed": True, "reason": "equals *it*", "error": None},
                "a set": {
                    "passed": False,
                    "score": 0.5,
                    "reason": "one of two",
                    "parts": [{"name": "inner", "passed": None, "score": None, "reason": None, "error": "the judge is away"}],
                },
            },
            "messages": [{"role": "user", "content": "Sort: in"}],
            "passages": [{"document": "d1", "chunk": 2, "digest": "sha256:0", "score": 0.5}],
        },
    },
    {"case": "a", "variant": "v1", "pass": False, "output": "wrong", "metrics": {"exact": 0.0}, "expected": "right"},
    {"case": "c", "variant": "v2", "pass": None, "error": "no answer", "metrics": {"exact": None}},
]
SPREAD = {
    "metric": "exact",
    "spreads": [{"variant": "v2", "counts": [2, *([0] * 18), 6]}],
    "means": [{"cluster": "north", "variant": "v2", "mean": 0.5, "results": 4}],
    "clusters": 1,
}


def page_of(items: list[Any], following: str | None = None) -> dict[str, Any]:
    return {"items": items, "next_cursor": following}


def run_responses() -> dict[str, Any]:
    """Return the API's responses by path; a test may change them."""
    return {
        "/v1/suites": page_of([{"name": "triage"}]),
        "/v1/alerts": page_of([]),
        "/v1/runs": page_of([FINISHED]),
        f"/v1/runs/{RUN}": {**FINISHED, "summary": SUMMARY},
        f"/v1/runs/{RUN}/results": page_of(RESULTS),
        f"/v1/runs/{RUN}/distribution": SPREAD,
        f"/v1/runs/{RUN}/cancel": FINISHED,
    }


def click_button(page: Any, label: str) -> Any:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def last_query(requests: Requests, path: str) -> dict[str, str]:
    """Return the parameters of the last request of a path."""
    return dict([request for request in requests if request.url.path == path][-1].url.params)
