"""Runs and results as the API gives them, for reports."""

from collections.abc import Callable
from typing import Any

import pytest

Values = dict[str, Any]
HOSTILE = (
    "<script>alert(1)</script> | `x` @everyone https://evil.example ![i](http://evil.example/x.png)\n\n# head\n\n"
    "</pre></td>\x00</table></details>\u202e \x1b[31m [a](javascript:b) &amp; \ud800 ' \""
)


def interval(estimate: float, low: float, high: float, n: int = 20) -> Values:
    return {"estimate": estimate, "low": low, "high": high, "level": 0.95, "method": "wilson", "n": n, "clusters": None}


def variant(name: str, role: str, **metrics: Values | None) -> Values:
    held = {metric: {"interval": found, "scored": 20, "unscored": 0} for metric, found in metrics.items()}
    return {"name": name, "role": role, "metrics": held, "errors": 0, "results": 20, "unrunnable": 0}


def result(case: str, name: str = "v2", *, passed: bool | None = True, repeat: int = 0, **changes: Any) -> Values:
    score = None if passed is None else float(passed)
    known = {"case": case, "variant": name, "repeat": repeat, "pass": passed, "score": score, "metrics": {"exact": score}}
    known |= {"vars": {"text": f"the input of {case}"}, "expected": "yes", "cluster": None, "detail": {}, "latency_ms": 1500.0}
    return known | {"output": None if passed is None else "yes", "error": "no answer" if passed is None else None} | changes


@pytest.fixture
def result_of() -> Callable[..., Values]:
    """Make a result as the API lists it."""
    return result


@pytest.fixture
def run() -> Values:
    """A finished run of two versions: one metric, one demand that is met and one that is not."""
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
    gates = [gate | {"candidate": "v2", "baseline": "v1" if gate["label"] else None} for gate in gates]
    figures = {name: interval(0.8, 0.6, 0.95) for name in ("exact", "pass", "score")}
    compared = {"candidate": "v2", "baseline": "v1", "worse": ["c2"], "better": []}
    return {
        "id": "run_1",
        "suite": "words",
        "prompt": "word",
        "state": "finished",
        "verdict": "regression",
        "error": None,
        "done": 40,
        "tracking_id": "abc",
        "started_at": "2026-03-02T12:00:00.123456Z",
        "finished_at": "2026-03-02T12:00:09.123456Z",
        "variants": [{"name": "v2", "role": "candidate"}, {"name": "v1", "role": "baseline"}],
        "summary": {
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
    """A run that could not be done at all."""
    return {
        "id": "run_2",
        "suite": "words",
        "prompt": "word",
        "state": "failed",
        "verdict": None,
        "error": "NotFound: it is gone",
        "done": 3,
        "tracking_id": None,
        "started_at": None,
        "variants": [{"name": "v2", "role": "candidate"}],
        "summary": None,
    }


@pytest.fixture
def hostile(run: Values) -> tuple[Values, list[Values]]:
    """A run whose every text is an attack, and its results."""
    run["suite"] = HOSTILE
    for one in (*run["summary"]["variants"], *run["variants"]):
        one["name"] = HOSTILE + one["role"]
    ours, theirs = HOSTILE + "candidate", HOSTILE + "baseline"
    for one in (*run["summary"]["comparisons"], *run["summary"]["gates"]):
        one |= {"candidate": ours, "baseline": theirs, "worse": [HOSTILE]}
    run["summary"]["gates"][1]["sentence"] = HOSTILE
    detail = {"scores": {HOSTILE: {"passed": False, "reason": HOSTILE, "error": None}}}
    told = {"output": HOSTILE, "vars": {HOSTILE: HOSTILE}, "expected": HOSTILE, "cluster": HOSTILE, "detail": detail}
    sides = [
        result(HOSTILE, ours, passed=False, **told),
        result(HOSTILE, theirs, **told),
        result(HOSTILE + "2", ours, passed=None, **{**told, "cluster": "b"}, error=HOSTILE),
    ]
    return run, sides
