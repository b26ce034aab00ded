"""The comparison of two runs as text: which cases are paired and which are not, and each difference with its interval."""

from collections.abc import Iterator
from typing import Any

from promptuary.cli.output import print_line, print_table
from promptuary.evaluation.reports.formatting import format_number, format_p_value, format_percent

_REASONS = {
    "other_variables": "have other variables under the same id",
    "other_expectation": "have another expected output or other checks",
    "fewer_copies": "are there less often",
    "absent": "are not there",
    "no_result": "have no result in one of the two runs",
}
_COLUMNS = ("metric", "candidate", "baseline", "difference", "interval", "p", "better", "worse", "cases")


def show_comparison(comparison: Any) -> None:
    """Print a comparison as the API answers it: the pairing, then a row for each metric and pair of variants."""
    for line in pairing_lines(comparison):
        print_line(line)
    rows = [_row(metric) for metric in comparison["comparisons"] if metric["interval"]]
    print_table(_COLUMNS, rows)


def pairing_lines(comparison: Any) -> Iterator[str]:
    """Yield how many cases are paired, and for each run how many are not, and why."""
    cases = comparison["cases"]
    yield f"{cases} {'case is' if cases == 1 else 'cases are'} paired by content: variables, expected output and checks"
    for unpaired in comparison["unpaired"]:
        run, reason, number = unpaired["run"], unpaired["reason"], unpaired["cases"]
        other = comparison["baseline"] if run == comparison["run"] else comparison["run"]
        why = _REASONS[reason] + (f" in {other}" if reason != "no_result" else "")
        if number == 1:
            why = why.replace("have ", "has ", 1).replace("are ", "is ", 1)
        examples = ", ".join(unpaired["examples"]) + (", …" if number > len(unpaired["examples"]) else "")
        yield f"not paired: {number} of {run} {why} ({examples})"
    if comparison["changed_metrics"]:
        yield f"the two suites score these metrics in different ways: {', '.join(comparison['changed_metrics'])}"


def _row(metric: Any) -> tuple[Any, ...]:
    interval = metric["interval"]
    low, high = (format_number(interval[bound], signed=True) for bound in ("low", "high"))
    return (
        metric["metric"],
        metric["candidate"],
        metric["baseline"],
        format_number(interval["estimate"], signed=True),
        f"{format_percent(interval['level'])}: [{low}, {high}]",
        format_p_value(metric["p_value"]),
        *(metric.get(f"{side}_in_all") or len(metric[side]) for side in ("better", "worse")),
        metric["cases"],
    )
