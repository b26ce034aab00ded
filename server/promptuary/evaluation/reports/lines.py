"""A run's figures as lines for a terminal."""

from collections.abc import Mapping
from typing import Any

from promptuary.evaluation.reports import words
from promptuary.evaluation.reports.answers import VERDICTS, Run, compared, figures, stopped_early


def lines(run: Run) -> list[str]:
    """Give a run's figures as lines."""
    first = f"{run['suite']}  run {run['id']}  {run['done']} results"
    summary = run["summary"]
    if summary is None:
        return [first, f"{run['state']}: {run['error'] or 'no summary'}"]
    told = [first, *([f"  {early}"] if (early := stopped_early(run)) else [])]
    width = max(len(variant["name"]) for variant in summary["variants"])
    for variant in summary["variants"]:
        shown = [f"{name} {words.interval(interval)}" for name, interval in figures(summary, variant)]
        told.append(f"  {variant['name']:<{width}}  {', '.join(shown)}" + _unanswered(variant))
    for one in compared(summary):
        p = words.p_value(one.get("p_value"))
        told.append(
            f"  {one['candidate']} − {one['baseline']}  {one['metric']} {words.interval(one['interval'], signed=True)}"
            + (f"  p {p if p.startswith('<') else f'= {p}'}" if p else "")
        )
    told += [f"  gate: {gate['sentence']} → {gate['verdict']}" for gate in summary["gates"]]
    return [*told, f"  verdict: {run['verdict']} ({VERDICTS[run['verdict']]})"]


def _unanswered(variant: Mapping[str, Any]) -> str:
    return f"  ({variant['errors']} of {variant['results']} without an answer)" if variant["errors"] else ""
