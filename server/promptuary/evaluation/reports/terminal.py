"""A run's figures as lines for a terminal."""

from collections.abc import Mapping
from typing import Any

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.content import VERDICT_TEXTS, Run, shown_comparisons, shown_intervals, stop_note


def terminal_lines(run: Run) -> list[str]:
    """Give a run's figures as lines."""
    first = f"{run['suite']}  run {run['id']}  {run['done']} results"
    summary = run["summary"]
    if summary is None:
        return [first, f"{run['state']}: {run['error'] or 'no summary'}"]
    told = [first, *([f"  {early}"] if (early := stop_note(run)) else [])]
    width = max(len(variant["name"]) for variant in summary["variants"])
    for variant in summary["variants"]:
        shown = [f"{name} {formatting.format_interval(interval)}" for name, interval in shown_intervals(summary, variant)]
        told.append(f"  {variant['name']:<{width}}  {', '.join(shown)}" + _unanswered(variant))
    for one in shown_comparisons(summary):
        p = formatting.format_p_value(one.get("p_value"))
        told.append(
            f"  {one['candidate']} − {one['baseline']}  {one['metric']} "
            f"{formatting.format_interval(one['interval'], signed=True)}"
            + (f"  p {p if p.startswith('<') else f'= {p}'}" if p else "")
        )
    told += [f"  gate: {gate['sentence']} → {gate['verdict']}" for gate in summary["gates"]]
    return [*told, f"  verdict: {run['verdict']} ({VERDICT_TEXTS[run['verdict']]})"]


def _unanswered(variant: Mapping[str, Any]) -> str:
    return f"  ({variant['errors']} of {variant['results']} without an answer)" if variant["errors"] else ""
