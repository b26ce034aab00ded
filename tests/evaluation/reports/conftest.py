"""Runs and results as the API returns them, for reports."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.reports.reported_result import ReportedResult

Values = dict[str, Any]
HOSTILE = (
    "<script>alert(1)</script> | `x` @everyone https://evil.example ![i](http://evil.example/x.png)\n\n# head\n\n"
    "</pre></td>\x00</table></details>\u202e \x1b[31m [a](javascript:b) &amp; \ud800 ' \""
)


def interval(estimate: float, low: float, high: float, n: int = 20) -> Values:
    return {"estimate": estimate, "low": low, "high": high, "level": 0.95, "method": "wilson", "n": n, "clusters": None}


def planned_variant(name: str, role: str) -> Values:
    return {"name": name, "role": role, "model": "local:m", "prompt": "word", "version": 1, "digest": "sha256:v"}


def variant(name: str, role: str, **intervals: Values | None) -> Values:
    metrics = {metric: {"interval": values, "scored": 20, "unscored": 0} for metric, values in intervals.items()}
    return {**planned_variant(name, role), "metrics": metrics, "errors": 0, "results": 20, "unrunnable": 0}


def result(case: str, name: str = "v2", *, passed: bool | None = True, repeat: int = 0, **changes: Any) -> Values:
    score = None if passed is None else float(passed)
    body = {"case": case, "variant": name, "repeat": repeat, "pass": passed, "score": score, "metrics": {"exact": score}}
    body |= {"vars": {"text": f"the input of {case}"}, "expected": "yes", "cluster": None, "detail": {}, "latency_ms": 1500.0}
    return body | {"output": None if passed is None else "yes", "error": "no answer" if passed is None else None} | changes


def reported_result(*arguments: Any, **changes: Any) -> ReportedResult:
    return ReportedResult.from_json(result(*arguments, **changes))


@pytest.fixture
def result_of() -> Callable[..., ReportedResult]:
    """Return a factory of results."""
    return reported_result


@pytest.fixture
def run() -> Values:
    """Return a finished run of two versions as the API returns it: one metric, one check that passed and one that failed."""
    gates = [
        {"metric": "exact", "kind": "at_least", "bound": 0.5, "label": None, "verdict": "pass", "sentence": "it reaches 0.500"},
        {
            "metric": "exact",
            "kind": "not_worse_than",
            "bound": -0.02,
            "label": "production",
            "verdict": "regression",
            "sentence": "the upper bound is below −0.020",
        },
    ]
    sides = {"model": "local:m", "candidate": "v2", "interval": None}
    gates = [{**gate, **sides, "baseline": "v1" if gate["label"] else None} for gate in gates]
    figures = {name: interval(0.8, 0.6, 0.95) for name in ("exact", "pass", "score")}
    compared = {
        "model": "local:m",
        "candidate": "v2",
        "baseline": "v1",
        "worse": ["c2"],
        "better": [],
        "cases": 20,
        "unpaired": 0,
    }
    return {
        "id": "run_1",
        "suite": "words",
        "prompt": "word",
        "state": "finished",
        "verdict": "regression",
        "error": None,
        "done": 40,
        "total": 40,
        "tracking_id": "abc",
        "started_at": "2026-03-02T12:00:00.123456Z",
        "finished_at": "2026-03-02T12:00:09.123456Z",
        "variants": [planned_variant("v2", "candidate"), planned_variant("v1", "baseline")],
        "summary": {
            "verdict": "regression",
            "cases": 20,
            "results": 40,
            "errors": 0,
            "unrunnable": 0,
            "infrastructure": False,
            "metrics": ["exact", "pass", "score"],
            "variants": [variant("v2", "candidate", **figures), variant("v1", "baseline", **figures)],
            "comparisons": [
                {**compared, "metric": metric, "interval": interval(-0.1, -0.2, -0.05)} for metric in ("exact", "pass")
            ],
            "gates": gates,
        },
    }


@pytest.fixture
def failed() -> Values:
    """Return a run that failed before it had a summary."""
    return {
        "id": "run_2",
        "suite": "words",
        "prompt": "word",
        "state": "failed",
        "verdict": None,
        "error": "NotFound: it is gone",
        "done": 3,
        "total": 40,
        "tracking_id": None,
        "started_at": None,
        "variants": [planned_variant("v2", "candidate")],
        "summary": None,
    }


@pytest.fixture
def hostile(run: Values) -> tuple[Values, list[ReportedResult]]:
    """Return a run whose every text is an attack, and its results."""
    run["suite"] = HOSTILE
    for hostile_variant in (*run["summary"]["variants"], *run["variants"]):
        hostile_variant["name"] = HOSTILE + hostile_variant["role"]
    candidate, baseline = HOSTILE + "candidate", HOSTILE + "baseline"
    for comparison in run["summary"]["comparisons"]:
        comparison |= {"candidate": candidate, "baseline": baseline, "worse": [HOSTILE]}
    for gate in run["summary"]["gates"]:
        gate |= {"candidate": candidate, "baseline": baseline}
    run["summary"]["gates"][1]["sentence"] = HOSTILE
    detail = {"scores": {HOSTILE: {"passed": False, "reason": HOSTILE, "error": None}}}
    texts = {"output": HOSTILE, "vars": {HOSTILE: HOSTILE}, "expected": HOSTILE, "cluster": HOSTILE, "detail": detail}
    results = [
        reported_result(HOSTILE, candidate, passed=False, **texts),
        reported_result(HOSTILE, baseline, **texts),
        reported_result(HOSTILE + "2", candidate, passed=None, **{**texts, "cluster": "b"}, error=HOSTILE),
    ]
    return run, results
