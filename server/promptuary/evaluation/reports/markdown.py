"""A Markdown summary for a pull request: short, and safe whatever a model answered.

What others wrote stands in code, as HTML entities, or with every mark escaped: it makes no heading, link, mention or image.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.content import (
    VERDICT_TEXTS,
    Result,
    Run,
    count_changed,
    failure_reasons,
    shown_comparisons,
    shown_intervals,
    stop_note,
)
from promptuary.evaluation.reports.findings import CaseRegression, collect_findings
from promptuary.evaluation.reports.formatting import format_number, truncate
from promptuary.prompt.text import show_hidden

ROWS_LIMIT = 60
TEXT_LIMIT = 1000
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:^])")


def markdown_report(run: Run, results: Iterable[Result], *, regressions: int = 5) -> str:
    """Give the verdict, the gate, the metrics, the paired differences, and the cases that got worse by most side by side."""
    summary = run["summary"]
    if summary is None:
        return f"## {plain(run['suite'])}: {plain(run['state'])}\n\n{plain(run['error'] or '')}\n"
    told = [
        f"## {plain(run['suite'])}: {run['verdict']}",
        "",
        f"{VERDICT_TEXTS[run['verdict']].capitalize()}. Run `{run['id']}`.",
    ]
    if early := stop_note(run):
        told += ["", f"It {early}."]
    if summary["gates"]:
        told += ["", *_capped([f"- **{gate['verdict']}**: {plain(gate['sentence'])}" for gate in summary["gates"]], "demands")]
    rows = [_row(variant["name"], *one) for variant in summary["variants"] for one in shown_intervals(summary, variant)]
    if rows:
        told += ["", "| variant | metric | mean | interval | cases |", "|---|---|---|---|---|", *_capped(rows, "figures")]
    told += [f"\n{plain(variant['name'])}: {_lost(variant)}." for variant in summary["variants"] if _lost(variant)]
    differences = shown_comparisons(summary)
    if differences:
        told += ["", *_paired(differences)]
    worst = collect_findings(run, results, regressions=regressions).regressions
    return "\n".join([*told, *_worst(worst, differences)]) + "\n"


def plain(text: str) -> str:
    """Give a text in one line, as words and nothing else."""
    flat = _MARKS.sub(r"\\\1", show_hidden(" ".join(truncate(text, 500).split())))
    # An entity would not do for @: who looks for mentions does so in what is rendered.
    return flat.replace("&", "&amp;").replace("@", "@\u2060").replace("www.", "www\\.")


def _row(variant: str, metric: str, interval: Mapping[str, Any]) -> str:
    return (
        f"| {plain(variant)} | {plain(metric)} | {format_number(interval['estimate'])} | {_ends(interval)} | {interval['n']} |"
    )


def _ends(interval: Mapping[str, Any], *, signed: bool = False) -> str:
    return f"{format_number(interval['low'], signed=signed)} to {format_number(interval['high'], signed=signed)}"


def _lost(variant: Mapping[str, Any]) -> str:
    return f"{variant['errors']} of {variant['results']} results without an answer" if variant["errors"] else ""


def _paired(differences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    p, adjusted = (any(one.get(name) is not None for one in differences) for name in ("p_value", "adjusted"))
    heads = ["paired difference", "metric", "mean", "interval", "cases", "better", "worse"]
    heads += ["p"] * p + ["adjusted p"] * adjusted
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    rows = []
    for one in differences:
        interval = one["interval"]
        cells = [f"{plain(one['candidate'])} − {plain(one['baseline'])}", plain(one["metric"])]
        cells += [format_number(interval["estimate"], signed=True), _ends(interval, signed=True), str(interval["n"])]
        cells += [str(count_changed(one, "better")), str(count_changed(one, "worse"))]
        cells += [formatting.format_p_value(one.get("p_value"))] * p + [
            formatting.format_p_value(one.get("adjusted"))
        ] * adjusted
        rows.append(f"| {' | '.join(cells)} |")
    yield from _capped(rows, "differences")


def _capped(rows: Sequence[str], what: str) -> list[str]:
    left = len(rows) - ROWS_LIMIT
    return [*rows[:ROWS_LIMIT], "", f"And {left} more {what}."] if left > 0 else list(rows)


def _worst(worst: Sequence[CaseRegression], differences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Show cases side by side: HTML on one line each, since a blank line would end the block."""
    for pair in dict.fromkeys(one.pair for one in worst):
        total = next(
            count_changed(one, "worse")
            for one in differences
            if (one["candidate"], one["baseline"], one["metric"]) == (pair.candidate, pair.baseline, pair.metric)
        )
        own = [one for one in worst if one.pair == pair]
        yield from ("", f"### Worse on {plain(pair.metric)}: {total} {'case' if total == 1 else 'cases'}", "")
        if total > len(own):
            yield from (f"The {len(own)} that fell by most, {plain(pair.candidate)} beside {plain(pair.baseline)}:", "")
        for one in own:
            heads = (f"<code>{_html(pair.candidate, 200)}</code> now", f"<code>{_html(pair.baseline, 200)}</code> before")
            yield f"<details><summary><code>{_html(one.case, 200)}</code> fell by {format_number(one.drop)}</summary>"
            yield f"<p>Input</p><pre>{_html(formatting.format_variables(one.candidate.get('vars')), TEXT_LIMIT)}</pre>"
            yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr><tr>"
            yield "".join(f"<td><pre>{_html(_answer(side), TEXT_LIMIT)}</pre></td>" for side in (one.candidate, one.baseline))
            why = _html("\n".join(failure_reasons(one.candidate)), TEXT_LIMIT)
            yield "</tr></table>" + (f"<pre>{why}</pre>" if why else "") + "</details>"
            yield ""


def _answer(result: Result) -> str:
    return result["output"] if result["output"] is not None else f"(no answer: {result['error']})"


def _html(text: str, most: int) -> str:
    """Escape a text for HTML within Markdown: lines as entities, so that none is blank and ends the block."""
    safe = escape(show_hidden(truncate(text, most)).replace("\r\n", "\n").replace("\r", "\n"))
    return safe.replace("\n", "&#10;").replace("|", "&#124;").replace("`", "&#96;").replace("@", "&#64;")
