"""A Markdown summary for a pull request: short, and safe whatever a model answered.

Foreign texts stand in code, as HTML entities, or with every mark escaped: they make no heading, link, mention or image.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.applications import version_notes
from promptuary.evaluation.reports.content import VERDICT_TEXTS, shown_comparisons, shown_intervals, stop_note
from promptuary.evaluation.reports.corrections import CORRECTION_COLUMNS, correction_rows, judge_lines, later_verdict
from promptuary.evaluation.reports.error_groups import ErrorGroup, shown_groups
from promptuary.evaluation.reports.findings import CaseRegression, ComparedPair, collect_findings
from promptuary.evaluation.reports.formatting import format_number, truncate
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.run_comparison import COLUMNS, ReportedComparison
from promptuary.evaluation.summary_model import Comparison, IntervalFigures, Summary, VariantSummary
from promptuary.prompt.text import show_hidden

ROWS_LIMIT = 60
TEXT_LIMIT = 1000
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:^])")


def markdown_report(run: ReportedRun, results: Iterable[ReportedResult], *, regressions: int = 5) -> str:
    """Return the verdict, the gate, the metrics, the paired differences, and the worst regressions side by side."""
    summary = run.summary
    if summary is None:
        return f"## {plain(run.suite)}: {plain(run.state)}\n\n{plain(run.error or '')}\n"
    verdict = run.verdict or summary.verdict
    lines = [f"## {plain(run.suite)}: {verdict}", "", f"{VERDICT_TEXTS[verdict].capitalize()}. Run `{run.id}`."]
    if note := stop_note(run):
        lines += ["", f"It {note}."]
    for version_note in version_notes(run):
        lines += ["", f"{plain(version_note)}."]
    if summary.gates:
        lines += ["", *_capped([f"- **{gate.verdict}**: {plain(gate.sentence)}" for gate in summary.gates], "demands")]
    findings = collect_findings(run, summary, results, regressions=regressions)
    lines += [*_metrics(summary), *_corrections(run, summary), *_errors(findings.errors), *_differences(summary)]
    lines += _earlier_run(run.comparison)
    return "\n".join([*lines, *_worst(findings.regressions, summary)]) + "\n"


def plain(text: str) -> str:
    """Return a text in one line, without any effect as Markdown."""
    flat = _MARKS.sub(r"\\\1", show_hidden(" ".join(truncate(text, 500).split())))
    # An entity does not suffice for @: mentions are detected in the rendered text.
    return flat.replace("&", "&amp;").replace("@", "@\u2060").replace("www.", "www\\.")


def _metrics(summary: Summary) -> Iterator[str]:
    rows = [
        f"| {plain(variant.name)} | {plain(metric)} | {format_number(interval.estimate)} | {_bounds(interval)} | "
        f"{formatting.format_cases(interval)} |"
        for variant in summary.variants
        for metric, interval in shown_intervals(summary, variant)
    ]
    if rows:
        yield from ("", "| variant | metric | mean | interval | cases |", "|---|---|---|---|---|")
        yield from _capped(rows, "figures")
    for variant in summary.variants:
        if variant.errors:
            yield f"\n{plain(variant.name)}: {_unanswered(variant)}."


def _corrections(run: ReportedRun, summary: Summary) -> Iterator[str]:
    """Yield the judges' agreement with people, and each judged figure beside the corrected one."""
    if not summary.judges:
        return
    yield from ("", "### Judges and people", "", *(f"- {plain(line)}" for line in judge_lines(summary)))
    if note := later_verdict(run):
        yield f"- {plain(note)}"
    if summary.corrections:
        yield from ("", f"| {' | '.join(CORRECTION_COLUMNS)} |", "|" + "---|" * len(CORRECTION_COLUMNS))
        yield from _capped([f"| {' | '.join(map(plain, row))} |" for row in correction_rows(summary)], "figures")


def _errors(errors: Sequence[ErrorGroup]) -> Iterator[str]:
    if errors:
        yield from ("", "Errors:", "", *(f"- {plain(line)}" for line in shown_groups(errors)))


def _bounds(interval: IntervalFigures, *, signed: bool = False) -> str:
    return f"{format_number(interval.low, signed=signed)} to {format_number(interval.high, signed=signed)}"


def _unanswered(variant: VariantSummary) -> str:
    return f"{variant.errors} of {variant.results} results without an answer"


def _differences(summary: Summary) -> Iterator[str]:
    comparisons = shown_comparisons(summary)
    if not comparisons:
        return
    with_p = any(comparison.p_value is not None for comparison, _ in comparisons)
    with_adjusted = any(comparison.adjusted is not None for comparison, _ in comparisons)
    heads = ["paired difference", "metric", "mean", "interval", "cases", "better", "worse"]
    heads += ["p"] * with_p + ["adjusted p"] * with_adjusted
    yield from ("", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads))
    rows = []
    for comparison, interval in comparisons:
        cells = _difference_cells(comparison, interval)
        cells += [formatting.format_p_value(comparison.p_value)] * with_p
        cells += [formatting.format_p_value(comparison.adjusted)] * with_adjusted
        rows.append(f"| {' | '.join(cells)} |")
    yield from _capped(rows, "differences")


def _difference_cells(comparison: Comparison, interval: IntervalFigures) -> list[str]:
    return [
        f"{plain(comparison.candidate)} − {plain(comparison.baseline)}",
        plain(comparison.metric),
        format_number(interval.estimate, signed=True),
        _bounds(interval, signed=True),
        formatting.format_cases(interval),
        *(str(count) for count in (comparison.better_count, comparison.worse_count)),
    ]


def _earlier_run(comparison: ReportedComparison | None) -> Iterator[str]:
    """Yield the comparison with an earlier run."""
    if comparison is None:
        return
    yield from ("", f"### Compared with the run {plain(comparison.baseline)}", "")
    yield from _capped([f"- {plain(note)}" for note in comparison.notes], "notes")
    if comparison.rows:
        yield from ("", f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS))
        yield from _capped([f"| {' | '.join(map(plain, row))} |" for row in comparison.rows], "differences")


def _capped(rows: Sequence[str], noun: str) -> list[str]:
    left = len(rows) - ROWS_LIMIT
    return [*rows[:ROWS_LIMIT], "", f"And {left} more {noun}."] if left > 0 else list(rows)


def _worst(regressions: Sequence[CaseRegression], summary: Summary) -> Iterator[str]:
    """Yield the cases that got worse, pair by pair."""
    totals = {ComparedPair.of(comparison): comparison.worse_count for comparison, _ in reversed(shown_comparisons(summary))}
    for pair in dict.fromkeys(regression.pair for regression in regressions):
        total = totals[pair]
        of_pair = [regression for regression in regressions if regression.pair == pair]
        yield from ("", f"### Worse on {plain(pair.metric)}: {total} {'case' if total == 1 else 'cases'}", "")
        if total > len(of_pair):
            yield from (f"The {len(of_pair)} that fell by most, {plain(pair.candidate)} beside {plain(pair.baseline)}:", "")
        for regression in of_pair:
            yield from _side_by_side(regression)


def _side_by_side(regression: CaseRegression) -> Iterator[str]:
    """Yield a case's HTML without a blank line within, since a blank line would end the block."""
    pair, sides = regression.pair, (regression.candidate, regression.baseline)
    heads = (f"<code>{_html(pair.candidate, 200)}</code> now", f"<code>{_html(pair.baseline, 200)}</code> before")
    yield f"<details><summary><code>{_html(regression.case, 200)}</code> fell by {format_number(regression.drop)}</summary>"
    yield f"<p>Input</p><pre>{_html(formatting.format_variables(regression.candidate.vars), TEXT_LIMIT)}</pre>"
    yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr><tr>"
    yield "".join(f"<td><pre>{_html(result.shown_output, TEXT_LIMIT)}</pre></td>" for result in sides)
    reasons = _html(regression.candidate.failure_text, TEXT_LIMIT)
    yield "</tr></table>" + (f"<pre>{reasons}</pre>" if reasons else "") + "</details>"
    yield ""


def _html(text: str, most: int) -> str:
    """Escape a text for HTML within Markdown; newlines become entities, so that no blank line ends the block."""
    safe = escape(show_hidden(truncate(text, most)).replace("\r\n", "\n").replace("\r", "\n"))
    return safe.replace("\n", "&#10;").replace("|", "&#124;").replace("`", "&#96;").replace("@", "&#64;")
