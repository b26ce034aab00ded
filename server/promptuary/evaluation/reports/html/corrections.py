"""The section of the HTML report on judges: their agreement with people, and raw figures beside corrected ones."""

from collections.abc import Iterator
from html import escape

from promptuary.evaluation.reports.corrections import CORRECTION_COLUMNS, correction_rows, judge_lines, later_verdict
from promptuary.evaluation.reports.html.html_table import Cell, html_table
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import Summary
from promptuary.prompt.text import show_hidden

_NAMES = 2
"""How many columns are names; the last one is a text, the others are figures."""


def corrections_section(run: ReportedRun, summary: Summary) -> Iterator[str]:
    """Yield the section; nothing for a run without a judge."""
    if not summary.judges:
        return
    yield "<section><h2>Judges and people</h2><ul>"
    for line in (*judge_lines(summary), later_verdict(run)):
        if line:
            yield f"<li><bdi>{escape(show_hidden(line))}</bdi></li>"
    yield "</ul>"
    if summary.corrections:
        rows: list[list[str | Cell]] = [
            [*row[:_NAMES], *map(Cell, row[_NAMES:-1]), Cell(row[-1], "text")] for row in correction_rows(summary)
        ]
        yield html_table(CORRECTION_COLUMNS, rows)
    yield "</section>"
