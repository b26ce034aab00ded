"""A run as one HTML page that needs nothing else: no script, no network, no file beside it.

Outputs are hostile: every text is escaped, and the page forbids itself all that it does not contain, in case one is not.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.charts import cluster_figure, differences_figure, histogram_figure, means_figure
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
from promptuary.evaluation.reports.findings import CaseRegression, Findings, collect_findings
from promptuary.evaluation.reports.formatting import format_number, truncate
from promptuary.evaluation.reports.html_table import Cell, html_table
from promptuary.evaluation.reports.style import CSS
from promptuary.evaluation.reports.word_diff import mark_differences
from promptuary.prompt.text import show_hidden

RESULTS_LIMIT = 100
REGRESSIONS_LIMIT = 10
TEXT_LIMIT = 2000
EXCERPT_LIMIT = 300


def html_report(run: Run, results: Iterable[Result]) -> Iterator[str]:
    """Give the page piece by piece; of the results as many as a reader looks at, with a note of how many there are."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = escape(show_hidden(f"{run['suite']}: {run['verdict'] or run['state']}"))
    yield f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{CSS}</style></head><body>
"""
    yield from _head(run)
    summary = run["summary"]
    if summary is not None:
        found = collect_findings(run, results, regressions=REGRESSIONS_LIMIT, rows=RESULTS_LIMIT)
        yield from _gates(summary)
        yield from _metrics(summary)
        yield from _differences(summary)
        yield from _worst(found, summary)
        yield histogram_figure(found, summary)
        yield from cluster_figure(found, summary)
        yield from _effort(summary)
        yield from _results(found)
    yield "</main></body></html>\n"


def _head(run: Run) -> Iterator[str]:
    verdict = run["verdict"] or run["state"]
    words_of = VERDICT_TEXTS.get(run["verdict"] or "", run["error"] or "there is no summary")
    yield f'<main><header><h1>{_line(run["suite"])}</h1><p><span class="verdict {escape(verdict)}">{_line(verdict)}</span> '
    early = stop_note(run)
    yield f"{_line(words_of)}</p>" + (f'<p class="soft">The run {early}.</p>' if early else "")
    plan = run.get("plan") or {}
    dataset = plan.get("dataset") or {}
    facts = [("Run", run["id"]), ("By", run.get("actor")), ("Started", _moment(run.get("started_at")))]
    facts += [("Finished", _moment(run.get("finished_at"))), ("Results", f"{run['done']:,}")]
    facts += [(f"{one['role'].capitalize()} {one['name']}", _version(one)) for one in run["variants"][:20] if "digest" in one]
    if dataset:
        facts.append(("Dataset", f"{dataset['name']} v{dataset['number']}, {dataset['cases']:,} cases, {dataset['digest']}"))
    facts.append(("Suite", plan.get("suite_digest")))
    facts.append(("MLflow run", run.get("tracking_id")))
    facts.append(("Spent", formatting.format_money(run.get("spent")) if run.get("spent") else None))
    yield (
        "<dl>"
        + "".join(f"<dt>{_line(name)}</dt><dd>{_line(str(told))}</dd>" for name, told in facts if told)
        + "</dl></header>"
    )


def _version(variant: Mapping[str, Any]) -> str:
    return f"{variant['prompt']} v{variant['version']}, {variant['model']}, {variant['digest']}"


def _moment(at: str | None) -> str | None:
    return at and f"{at[:10]} {at[11:19]} UTC"


def _gates(summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["gates"]:
        yield '<section><h2>Gate</h2><ul class="gates">'
        for gate in summary["gates"]:
            yield f'<li><b class="{escape(gate["verdict"])}">{_line(gate["verdict"])}</b> {_line(gate["sentence"])}</li>'
        yield "</ul></section>"


def _metrics(summary: Mapping[str, Any]) -> Iterator[str]:
    held = [(variant, *one) for variant in summary["variants"] for one in shown_intervals(summary, variant)]
    rows = sorted(held, key=lambda row: summary["metrics"].index(row[1]))  # variants of one metric beside each other
    yield "<section><h2>Metrics</h2>"
    if not rows:
        yield "<p>No case has a score.</p></section>"
        return
    yield means_figure(summary, rows)
    heads = ["Variant", "Metric", "Mean", "Low", "High", "Cases", "Without a score", "Interval"]
    yield html_table(
        heads,
        [
            [
                *(
                    variant["name"],
                    metric,
                    Cell(format_number(of["estimate"])),
                    Cell(format_number(of["low"])),
                    Cell(format_number(of["high"])),
                ),
                *(Cell(f"{of['n']:,}"), Cell(f"{variant['metrics'][metric].get('unscored', 0):,}"), _method(of)),
            ]
            for variant, metric, of in rows
        ],
    )
    yield "</section>"


def _method(of: Mapping[str, Any]) -> str:
    told = [formatting.format_percent(of["level"])] if "level" in of else []
    told += [of["method"]] if of.get("method") else []
    told += [f"{of['clusters']:,} clusters"] if of.get("clusters") else []
    return ", ".join(told)


def _differences(summary: Mapping[str, Any]) -> Iterator[str]:
    rows = shown_comparisons(summary)
    if not rows:
        return
    yield "<section><h2>Paired differences</h2>"
    yield differences_figure(summary, rows)
    extra = [name for name in ("p_value", "adjusted") if any(one.get(name) is not None for one in rows)]
    heads = ["Difference", "Metric", "Mean", "Low", "High", "Cases", "Better", "Worse"]
    heads += [{"p_value": "p", "adjusted": "Adjusted p"}[name] for name in extra]
    yield html_table(
        [*heads, "Interval"],
        [
            [
                *(f"{one['candidate']} − {one['baseline']}", one["metric"]),
                *(Cell(format_number(one["interval"][end], signed=True)) for end in ("estimate", "low", "high")),
                *(
                    Cell(f"{count:,}")
                    for count in (one["interval"]["n"], count_changed(one, "better"), count_changed(one, "worse"))
                ),
                *(Cell(formatting.format_p_value(one.get(name))) for name in extra),
                _method(one["interval"]),
            ]
            for one in rows
        ],
    )
    yield "</section>"


def _worst(found: Findings, summary: Mapping[str, Any]) -> Iterator[str]:
    if not found.regressions:
        return
    total = sum(
        count_changed(one, "worse")
        for one in shown_comparisons(summary)
        for pair in {each.pair for each in found.regressions}
        if (one["candidate"], one["baseline"], one["metric"]) == (pair.candidate, pair.baseline, pair.metric)
    )
    told = f"{total:,} {'case' if total == 1 else 'cases'} got worse"
    more = f"; these {len(found.regressions)} fell by most" if total > len(found.regressions) else ""
    yield f'<section><h2>Worst regressions</h2><p class="soft">{told}{more}.</p>'
    for one in found.regressions:
        yield _side_by_side(one)
    yield "</section>"


def _side_by_side(one: CaseRegression) -> str:
    pair = one.pair
    ours, theirs = (_answer(side) for side in (one.candidate, one.baseline))
    left, right = mark_differences(truncate(theirs, TEXT_LIMIT), truncate(ours, TEXT_LIMIT))
    given = truncate(formatting.format_variables(one.candidate.get("vars")), TEXT_LIMIT)
    expected = one.candidate.get("expected")
    why = "\n".join(failure_reasons(one.candidate))
    return "".join(
        [
            f"<article><h3><code>{_line(one.case)}</code> fell by {format_number(one.drop)} on {_line(pair.metric)}</h3>",
            f'<p class="soft">Input</p><div class="text">{_text(given)}</div>' if given else "",
            f'<p class="soft">Expected</p><div class="text">'
            f"{_text(truncate(formatting.format_value(expected), TEXT_LIMIT))}</div>"
            if expected is not None
            else "",
            f'<div class="sides"><div><p class="soft">{_line(pair.baseline)}, before</p><div class="text">{left}</div></div>',
            f'<div><p class="soft">{_line(pair.candidate)}, now</p><div class="text">{right}</div></div></div>',
            f'<p class="soft">Why</p><div class="text">{_text(truncate(why, TEXT_LIMIT))}</div>' if why else "",
            "</article>",
        ]
    )


def _effort(summary: Mapping[str, Any]) -> Iterator[str]:
    heads = ["Variant", "Results", "Without an answer", "Not scored", "Median", "Slowest", "Tokens in", "Tokens out", "Cost"]
    rows: list[Sequence[str | Cell]] = []
    for one in summary["variants"]:
        latency, tokens = one.get("latency_ms") or {}, one.get("tokens") or {}
        rows.append(
            [
                one["name"],
                *(Cell(f"{one.get(name, 0):,}") for name in ("results", "errors", "unrunnable")),
                *(Cell(formatting.format_duration(latency.get(name))) for name in ("median", "slowest")),
                *(Cell(f"{tokens[name]:,}" if name in tokens else "") for name in ("input", "output")),
                Cell(formatting.format_money(one.get("cost"))),
            ]
        )
    yield f"<section><h2>Latency, tokens, cost</h2>{html_table(heads, rows)}</section>"


def _results(found: Findings) -> Iterator[str]:
    if not found.results:
        return
    yield "<section><h2>Results</h2>"
    if len(found.results) < found.counted:
        yield f'<p class="soft">{len(found.results):,} of {found.counted:,} results, in the file\'s order: '
        yield "those of the candidates without a pass first of all. The JSON report has every one.</p>"
    heads = ["Case", "Variant", "Verdict", "Scores", "Input", "Output", "Time"]
    yield html_table(heads, [_result(result) for result in found.results], cards=True)
    yield "</section>"


def _result(result: Result) -> list[str | Cell]:
    verdict = "pass" if result["pass"] else "error" if result["pass"] is None else "fail"
    scores = "\n".join(
        f"{name}\N{NO-BREAK SPACE}{'–' if score is None else format_number(score)}" for name, score in result["metrics"].items()
    )
    return [
        result["case"] + (f" #{result['repeat'] + 1}" if result["repeat"] else ""),
        result["variant"],
        Cell(verdict, verdict),
        Cell(scores, "text"),
        Cell(truncate(formatting.format_variables(result.get("vars")), EXCERPT_LIMIT), "text"),
        Cell(truncate(_answer(result), EXCERPT_LIMIT), "text"),
        Cell(formatting.format_duration(result.get("latency_ms"))),
    ]


def _answer(result: Result) -> str:
    return result["output"] if result["output"] is not None else f"(no answer: {result['error']})"


def _line(text: str) -> str:
    """Escape a text of one line; the direction of its letters stays its own."""
    return f"<bdi>{escape(show_hidden(truncate(' '.join(text.split()), 500)))}</bdi>"


def _text(text: str) -> str:
    return escape(show_hidden(text))
