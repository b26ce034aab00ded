"""The comparison of a run with an earlier one, as reports show it: the paired cases, and each difference with its interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from promptuary.evaluation.reports.formatting import format_number, format_p_value, format_percent

COLUMNS = ("metric", "candidate", "baseline", "difference", "interval", "p", "better", "worse", "cases")
_REASONS = {
    "other_variables": "have other variables under the same id",
    "other_expectation": "have another expected output or other checks",
    "fewer_copies": "are there less often",
    "absent": "are not there",
    "no_result": "have no result in one of the two runs",
}


@dataclass(frozen=True)
class ReportedComparison:
    """A comparison of two runs.

    Attributes:
        baseline: the earlier run's id.
        notes: sentences: how many cases are paired, and for each run how many are not, and why.
        rows: a row for each metric and pair of variants, with a text for each of `COLUMNS`.
        json_body: as the API sent it, for the JSON report.
    """

    baseline: str
    notes: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    json_body: object

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Build it from the JSON of `GET /runs/{id}/compare`."""
        rows = tuple(_row(metric) for metric in body["comparisons"] if metric["interval"])
        return cls(str(body["baseline"]), tuple(_notes(body)), rows, body)


def _notes(body: Mapping[str, Any]) -> Iterator[str]:
    cases = body["cases"]
    yield f"{cases} {'case is' if cases == 1 else 'cases are'} paired by content: variables, expected output and checks"
    for unpaired in body["unpaired"]:
        run, reason, number = unpaired["run"], unpaired["reason"], unpaired["cases"]
        other = body["baseline"] if run == body["run"] else body["run"]
        why = _REASONS[reason] + (f" in {other}" if reason != "no_result" else "")
        if number == 1:
            why = why.replace("have ", "has ", 1).replace("are ", "is ", 1)
        examples = ", ".join(unpaired["examples"]) + (", …" if number > len(unpaired["examples"]) else "")
        yield f"not paired: {number} of {run} {why} ({examples})"
    if body["changed_metrics"]:
        yield f"the two suites score these metrics in different ways: {', '.join(body['changed_metrics'])}"


def _row(metric: Mapping[str, Any]) -> tuple[str, ...]:
    interval = metric["interval"]
    low, high = (format_number(interval[bound], signed=True) for bound in ("low", "high"))
    return (
        str(metric["metric"]),
        str(metric["candidate"]),
        str(metric["baseline"]),
        format_number(interval["estimate"], signed=True),
        f"{format_percent(interval['level'])}: [{low}, {high}]",
        format_p_value(metric["p_value"]),
        *(str(metric.get(f"{side}_in_all") or len(metric[side])) for side in ("better", "worse")),
        str(metric["cases"]),
    )
