"""A run's figures as lines for a terminal."""

from collections.abc import Sequence

from promptuary.evaluation.reports import formatting
from promptuary.evaluation.reports.applications import version_notes
from promptuary.evaluation.reports.content import VERDICT_TEXTS, shown_comparisons, shown_intervals, stop_note
from promptuary.evaluation.reports.corrections import correction_lines
from promptuary.evaluation.reports.error_groups import ErrorGroup, shown_groups
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import Summary, VariantSummary


def terminal_lines(run: ReportedRun, errors: Sequence[ErrorGroup] = ()) -> list[str]:
    """Return a run's figures as lines, with why results have no verdict."""
    first = f"{run.suite}  run {run.id}  {run.done} results"
    if run.summary is None:
        return [first, f"{run.state}: {run.error or 'no summary'}", *_error_lines(errors)]
    note = stop_note(run)
    lines = [first, *([f"  {note}"] if note else []), *_variant_lines(run.summary), *_comparison_lines(run.summary)]
    lines += [f"  {version_note}" for version_note in version_notes(run)]
    lines += [f"  {line}" for line in correction_lines(run)]
    lines += [f"  gate: {gate.sentence} → {gate.verdict}" for gate in run.summary.gates]
    verdict = run.verdict or run.summary.verdict
    return [*lines, *_error_lines(errors), f"  verdict: {verdict} ({VERDICT_TEXTS[verdict]})"]


def _error_lines(errors: Sequence[ErrorGroup]) -> list[str]:
    return [f"  error: {line}" for line in shown_groups(errors)]


def _variant_lines(summary: Summary) -> list[str]:
    width = max(len(variant.name) for variant in summary.variants)
    lines = []
    for variant in summary.variants:
        figures = [f"{name} {formatting.format_interval(interval)}" for name, interval in shown_intervals(summary, variant)]
        lines.append(f"  {variant.name:<{width}}  {', '.join(figures)}" + _unanswered(variant))
    return lines


def _comparison_lines(summary: Summary) -> list[str]:
    lines = []
    for comparison, interval in shown_comparisons(summary):
        p = formatting.format_p_value(comparison.p_value)
        lines.append(
            f"  {comparison.candidate} − {comparison.baseline}  {comparison.metric} "
            f"{formatting.format_interval(interval, signed=True)}"
            + (f"  p {p if p.startswith('<') else f'= {p}'}" if p else "")
        )
    return lines


def _unanswered(variant: VariantSummary) -> str:
    return f"  ({variant.errors} of {variant.results} without an answer)" if variant.errors else ""
