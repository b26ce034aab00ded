"""What the reports read out of the API's answers about a run, and what they show of it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Run = Mapping[str, Any]
"""As `GET /runs/{id}` gives it."""
Result = Mapping[str, Any]
"""As `GET /runs/{id}/results` lists it."""
Results = Callable[[], Iterable[Result]]
"""Gives a run's results from the first one on, in the file's order, each time it is called."""

VERDICT_TEXTS = {
    "pass": "the gate is met",
    "regression": "the gate failed: a regression was shown",
    "inconclusive": "not enough evidence either way",
    "infrastructure": "too many cases could not be run",
}
_ALWAYS = ("pass", "score")


def shown_metrics(summary: Mapping[str, Any]) -> list[str]:
    """Name the metrics to show: the scorers', and whether all of them passed where there are several."""
    scorers = [name for name in summary["metrics"] if name not in _ALWAYS]
    return scorers if len(scorers) == 1 else [*scorers, "pass"]


def shown_intervals(summary: Mapping[str, Any], variant: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Give a variant's metrics to show that have an interval, with it."""
    held = [(name, variant["metrics"][name]["interval"]) for name in shown_metrics(summary)]
    return [(name, interval) for name, interval in held if interval]


def shown_comparisons(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the comparisons to show."""
    shown = shown_metrics(summary)
    return [one for one in summary["comparisons"] if one["interval"] and one["metric"] in shown]


def count_changed(comparison: Mapping[str, Any], side: str) -> int:
    """Count the cases that got `better` or `worse`; their list may be shorter than their number."""
    return int(comparison.get(f"{side}_in_all", len(comparison[side])))


def stop_note(run: Run) -> str:
    """Say that a run stopped because its gate was decided, or its ceiling reached; nothing where it went to its end."""
    if run["state"] == "stopped":
        return f"stopped after {run['done']:,} of {run['total']:,} results: {run['error']}"
    if not (run["summary"] or {}).get("stopped_early"):
        return ""
    return f"stopped after {run['done']:,} of {run['total']:,} results, as soon as the gate was decided"


def result_value(result: Result, metric: str) -> float | None:
    """Give a result's value on a metric; None where it is not known."""
    if metric in result["metrics"]:
        known = result["metrics"][metric]
    else:
        known = result.get(metric) if metric in _ALWAYS else None
    return None if known is None else float(known)


def candidate_names(run: Run) -> frozenset[str]:
    """Name the variants that the run is about."""
    return frozenset(variant["name"] for variant in run["variants"] if variant["role"] == "candidate")


def failure_reasons(result: Result) -> list[str]:
    """Give what the scorers that did not pass a result say of it, a line each."""
    scores = (result.get("detail") or {}).get("scores") or {}
    told = [(name, one.get("error") or one.get("reason")) for name, one in scores.items() if not one.get("passed")]
    return [f"{name}: {words}" for name, words in told if words]
