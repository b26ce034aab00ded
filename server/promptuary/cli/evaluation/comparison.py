"""The comparison of two runs: attached to a run before its reports are written, and printed as text."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from promptuary.cli.connection import ApiClient, path_segment
from promptuary.cli.output import print_line, print_table
from promptuary.core.errors import PromptuaryError

if TYPE_CHECKING:  # their typed models would cost every command some 30 ms at its start
    from promptuary.evaluation.reports.reported_run import ReportedRun
    from promptuary.evaluation.reports.run_comparison import ReportedComparison


def read_comparison(api: ApiClient, run_id: str, baseline: str) -> "ReportedComparison":
    """Read the comparison of two finished runs from the service."""
    from promptuary.evaluation.reports.run_comparison import ReportedComparison

    return ReportedComparison.from_json(api.get(f"/runs/{path_segment(run_id)}/compare", baseline=baseline))


def with_comparisons(
    api: ApiClient, runs: "Iterable[ReportedRun]", baseline: str | None, errors: list[PromptuaryError]
) -> "Iterator[ReportedRun]":
    """Yield runs, each finished one with its comparison with a baseline.

    Args:
        api: of the runs.
        runs: as they end.
        baseline: the id of an earlier run; None for none.
        errors: gets why a run cannot be compared, so that its reports are written without.
    """
    for run in runs:
        if baseline is not None and run.state == "finished":
            try:
                run = replace(run, comparison=read_comparison(api, run.id, baseline))
            except PromptuaryError as error:
                errors.append(error)
        yield run


def show_comparison(comparison: "ReportedComparison") -> None:
    """Print the pairing, then a row for each metric and pair of variants."""
    from promptuary.evaluation.reports.run_comparison import COLUMNS

    for note in comparison.notes:
        print_line(note)
    print_table(COLUMNS, comparison.rows)
