"""A run as one self-contained HTML page: no script, no network, no other file.

Outputs are untrusted: every text is escaped, and the page's content security policy forbids all that the page does not use.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.applications import stated_versions
from promptuary.evaluation.reports.content import VERDICT_TEXTS, shown_comparisons, shown_intervals, stop_note
from promptuary.evaluation.reports.error_groups import shown_groups
from promptuary.evaluation.reports.findings import CaseRegression, ComparedPair, Findings, collect_findings
from promptuary.evaluation.reports.formatting import format_number, truncate
from promptuary.evaluation.reports.html.charts import cluster_figure, differences_figure, histogram_figure, means_figure
from promptuary.evaluation.reports.html.conversations import conversations_section
from promptuary.evaluation.reports.html.corrections import corrections_section
from promptuary.evaluation.reports.html.html_table import Cell, html_table
from promptuary.evaluation.reports.html.style import CSS
from promptuary.evaluation.reports.html.word_diff import mark_differences
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.run_comparison import COLUMNS, ReportedComparison
from promptuary.evaluation.summary_model import Comparison, IntervalFigures, Summary, VariantSummary
from promptuary.prompt.text import show_hidden

RESULTS_LIMIT = 100
REGRESSIONS_LIMIT = 10
TEXT_LIMIT = 2000
EXCERPT_LIMIT = 300
_NAMES = 3
"""How many columns of a comparison with an earlier run are names; the others are figures."""


def html_report(run: ReportedRun, results: Iterable[ReportedResult]) -> Iterator[str]:
    """Yield the page piece by piece. It shows a bounded number of results, and states how many there are."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = escape(show_hidden(f"{run.suite}: {run.verdict or run.state}"))
    yield f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{CSS}</style></head><body>
"""
    yield from _head(run)
    summary = run.summary
    if summary is not None:
        findings = collect_findings(run, summary, results, regressions=REGRESSIONS_LIMIT, rows=RESULTS_LIMIT)
        yield from _gates(summary)
        yield from _metrics(summary)
        yield from corrections_section(run, summary)
        yield from _errors(findings)
        yield from _differences(summary)
        yield from _earlier_run(run.comparison)
        yield from _worst(findings, summary)
        yield histogram_figure(findings, summary)
        yield from cluster_figure(findings, summary)
        yield from _effort(summary)
        yield from _results(findings)
    yield "</main></body></html>\n"


def _head(run: ReportedRun) -> Iterator[str]:
    verdict = run.verdict or run.state
    meaning = VERDICT_TEXTS[run.verdict] if run.verdict else run.error or "there is no summary"
    style = escape(verdict.replace(" ", "-"))
    yield f'<main><header><h1>{_line(run.suite)}</h1><p><span class="verdict {style}">{_line(verdict)}</span> '
    note = stop_note(run)
    yield f"{_line(meaning)}</p>" + (f'<p class="soft">The run {note}.</p>' if note else "")
    facts = "".join(f"<dt>{_line(name)}</dt><dd>{_line(fact)}</dd>" for name, fact in _facts(run) if fact)
    yield f"<dl>{facts}</dl></header>"


def _facts(run: ReportedRun) -> Iterator[tuple[str, str | None]]:
    """Yield the names and texts of a run's facts; a fact that is not known has no text."""
    yield from (("Run", run.id), ("By", run.actor), ("Started", _time_text(run.started_at)))
    yield from (("Finished", _time_text(run.finished_at)), ("Results", f"{run.done:,}"))
    for variant in run.variants[:20]:
        yield f"{variant.role.capitalize()} {variant.name}", f"{variant.subject}, {variant.digest}"
    for name, stated in stated_versions(run):
        yield f"Versions of {name}", ", ".join(stated)
    if dataset := run.dataset:
        yield "Dataset", f"{dataset.name} v{dataset.number}, {dataset.cases:,} cases, {dataset.digest}"
    yield from (("Suite", run.suite_digest), ("MLflow run", run.tracking_id))
    yield "Spent", formatting.format_money(run.spent) if run.spent else None


def _time_text(timestamp: str | None) -> str | None:
    return timestamp and f"{timestamp[:10]} {timestamp[11:19]} UTC"


def _gates(summary: Summary) -> Iterator[str]:
    if summary.gates:
        yield '<section><h2>Gate</h2><ul class="gates">'
        for gate in summary.gates:
            yield f'<li><b class="{escape(gate.verdict)}">{_line(gate.verdict)}</b> {_line(gate.sentence)}</li>'
        yield "</ul></section>"


def _metrics(summary: Summary) -> Iterator[str]:
    figures = [
        (variant, metric, interval) for variant in summary.variants for metric, interval in shown_intervals(summary, variant)
    ]
    rows = sorted(figures, key=lambda row: summary.metrics.index(row[1]))  # variants of one metric are adjacent
    yield "<section><h2>Metrics</h2>"
    if not rows:
        yield "<p>No case has a score.</p></section>"
        return
    yield means_figure(summary, rows)
    heads = ["Variant", "Metric", "Mean", "Low", "High", "Cases", "Without a score", "Interval"]
    yield html_table(heads, [_metric_row(*row) for row in rows])
    yield "</section>"


def _earlier_run(comparison: ReportedComparison | None) -> Iterator[str]:
    if comparison is None:
        return
    yield f"<section><h2>Compared with the run {_line(comparison.baseline)}</h2><ul>"
    yield "".join(f"<li>{_line(note)}</li>" for note in comparison.notes) + "</ul>"
    if comparison.rows:
        rows: list[list[str | Cell]] = [[*row[:_NAMES], *map(Cell, row[_NAMES:])] for row in comparison.rows[:RESULTS_LIMIT]]
        yield html_table([name.capitalize() for name in COLUMNS], rows)
    yield "</section>"


def _errors(findings: Findings) -> Iterator[str]:
    if findings.errors:
        yield "<section><h2>Errors</h2><ul>"
        for line in shown_groups(findings.errors):
            yield f"<li>{_line(line)}</li>"
        yield "</ul></section>"


def _metric_row(variant: VariantSummary, metric: str, interval: IntervalFigures) -> list[str | Cell]:
    return [
        variant.name,
        metric,
        *(Cell(format_number(value)) for value in (interval.estimate, interval.low, interval.high)),
        Cell(f"{interval.n:,}"),
        Cell(f"{variant.metrics[metric].unscored:,}"),
        _method(interval),
    ]


def _method(interval: IntervalFigures) -> str:
    parts = [formatting.format_percent(interval.level)]
    parts += [interval.method] if interval.method else []
    parts += [f"{interval.clusters:,} clusters"] if interval.clusters else []
    return ", ".join(parts)


def _differences(summary: Summary) -> Iterator[str]:
    rows = shown_comparisons(summary)
    if not rows:
        return
    yield "<section><h2>Paired differences</h2>"
    yield differences_figure(summary, rows)
    with_p = any(comparison.p_value is not None for comparison, _ in rows)
    with_adjusted = any(comparison.adjusted is not None for comparison, _ in rows)
    heads = ["Difference", "Metric", "Mean", "Low", "High", "Cases", "Better", "Worse"]
    heads += ["p"] * with_p + ["Adjusted p"] * with_adjusted
    body = []
    for comparison, interval in rows:
        cells = _difference_cells(comparison, interval)
        cells += [Cell(formatting.format_p_value(comparison.p_value))] * with_p
        cells += [Cell(formatting.format_p_value(comparison.adjusted))] * with_adjusted
        body.append([*cells, _method(interval)])
    yield html_table([*heads, "Interval"], body)
    yield "</section>"


def _difference_cells(comparison: Comparison, interval: IntervalFigures) -> list[str | Cell]:
    return [
        f"{comparison.candidate} − {comparison.baseline}",
        comparison.metric,
        *(Cell(format_number(value, signed=True)) for value in (interval.estimate, interval.low, interval.high)),
        *(Cell(f"{count:,}") for count in (interval.n, comparison.better_count, comparison.worse_count)),
    ]


def _worst(findings: Findings, summary: Summary) -> Iterator[str]:
    if not findings.regressions:
        return
    pairs = {regression.pair for regression in findings.regressions}
    total = sum(comparison.worse_count for comparison, _ in shown_comparisons(summary) if ComparedPair.of(comparison) in pairs)
    count = f"{total:,} {'case' if total == 1 else 'cases'} got worse"
    more = f"; these {len(findings.regressions)} fell by most" if total > len(findings.regressions) else ""
    yield f'<section><h2>Worst regressions</h2><p class="soft">{count}{more}.</p>'
    for regression in findings.regressions:
        yield _side_by_side(regression)
    yield "</section>"


def _side_by_side(regression: CaseRegression) -> str:
    pair, result = regression.pair, regression.candidate
    before, now = (truncate(side.shown_output, TEXT_LIMIT) for side in (regression.baseline, result))
    marked_before, marked_now = mark_differences(before, now)
    variables = truncate(formatting.format_variables(result.vars), TEXT_LIMIT)
    expected = None if result.expected is None else truncate(formatting.format_value(result.expected), TEXT_LIMIT)
    reasons = truncate(result.failure_text, TEXT_LIMIT)
    drop = format_number(regression.drop)
    return "".join(
        [
            f"<article><h3><code>{_line(regression.case)}</code> fell by {drop} on {_line(pair.metric)}</h3>",
            _labelled("Input", _text(variables)) if variables else "",
            _labelled("Expected", _text(expected)) if expected is not None else "",
            f'<div class="sides"><div>{_labelled(f"{_line(pair.baseline)}, before", marked_before)}</div>',
            f"<div>{_labelled(f'{_line(pair.candidate)}, now', marked_now)}</div></div>",
            _labelled("Why", _text(reasons)) if reasons else "",
            "</article>",
        ]
    )


def _labelled(label: str, html: str) -> str:
    return f'<p class="soft">{label}</p><div class="text">{html}</div>'


def _effort(summary: Summary) -> Iterator[str]:
    heads = ["Variant", "Results", "Without an answer", "Not scored", "Median", "Slowest", "Tokens in", "Tokens out", "Cost"]
    table = html_table(heads, [_effort_row(variant) for variant in summary.variants])
    yield f"<section><h2>Latency, tokens, cost</h2>{table}</section>"


def _effort_row(variant: VariantSummary) -> list[str | Cell]:
    latency, tokens = variant.latency_ms, variant.tokens
    return [
        variant.name,
        *(Cell(f"{count:,}") for count in (variant.results, variant.errors, variant.unrunnable)),
        Cell(formatting.format_duration(None if latency is None else latency.median)),
        Cell(formatting.format_duration(None if latency is None else latency.slowest)),
        Cell("" if tokens is None else f"{tokens.input:,}"),
        Cell("" if tokens is None else f"{tokens.output:,}"),
        Cell(formatting.format_money(variant.cost)),
    ]


def _results(findings: Findings) -> Iterator[str]:
    if not findings.results:
        return
    yield "<section><h2>Results</h2>"
    if len(findings.results) < findings.counted:
        yield f'<p class="soft">{len(findings.results):,} of {findings.counted:,} results, in the file\'s order: '
        yield "those of the candidates without a pass first of all. The JSON report has every one.</p>"
    heads = ["Case", "Variant", "Verdict", "Scores", "Why", "Input", "Output", "Time"]
    yield html_table(heads, [_result_row(result) for result in findings.results], cards=True)
    yield "</section>"
    yield from conversations_section(findings.results)


def _result_row(result: ReportedResult) -> list[str | Cell]:
    verdict = "pass" if result.passed else "error" if result.passed is None else "fail"
    scores = "\n".join(
        f"{name}\N{NO-BREAK SPACE}{'–' if score is None else format_number(score)}" for name, score in result.metrics.items()
    )
    return [
        result.case + (f" #{result.repeat + 1}" if result.repeat else ""),
        result.variant,
        Cell(verdict, verdict),
        Cell(scores, "text"),
        Cell(truncate(result.failure_text, EXCERPT_LIMIT), "text"),
        Cell(truncate(formatting.format_variables(result.vars), EXCERPT_LIMIT), "text"),
        Cell(truncate(result.shown_output, EXCERPT_LIMIT), "text"),
        Cell(formatting.format_duration(result.latency_ms)),
    ]


def _line(text: str) -> str:
    """Escape a text of one line, isolated from the writing direction around it."""
    return f"<bdi>{escape(show_hidden(truncate(' '.join(text.split()), 500)))}</bdi>"


def _text(text: str) -> str:
    return escape(show_hidden(text))
