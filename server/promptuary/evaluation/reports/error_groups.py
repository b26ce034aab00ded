"""Why results have no verdict, grouped: `rubric: 40 × the endpoint … answers 400`; errors that differ in figures are one."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.reports.formatting import truncate
from promptuary.evaluation.reports.reported_result import ReportedResult

KINDS_LIMIT = 1000
SHOWN = 5
TEXT_LIMIT = 300
OUTPUT = "output"
"""The source of an error without an output: the target, not a scorer."""
# Errors of two statuses, such as 429, differ; other numbers, ids and quoted values are those of single cases.
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b(?!(?:4|5)\d\d\b)[\w-]*\d[\w-]*\b")


@dataclass(frozen=True)
class ErrorGroup:
    """Errors of one kind.

    Attributes:
        scorer: the scorer's name; `output` where there is no output.
        count: the number of results.
        error: the text of the first of them.
    """

    scorer: str
    count: int
    error: str

    def __str__(self) -> str:
        """Return the group in one line."""
        return f"{self.scorer}: {self.count:,} × {truncate(' '.join(self.error.split()), TEXT_LIMIT)}"

    def json_body(self) -> dict[str, Any]:
        """Return the group as JSON."""
        return {"scorer": self.scorer, "count": self.count, "error": self.error}


class ErrorGroups:
    """The errors of results, counted by scorer and kind; kinds beyond `KINDS_LIMIT` are left out."""

    def __init__(self, results: Iterable[ReportedResult] = ()) -> None:
        """Count the errors of results."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._texts: dict[tuple[str, str], str] = {}
        for result in results:
            self.add(result)

    def add(self, result: ReportedResult) -> None:
        """Count the errors of a result."""
        for scorer, text in _errors_of(result):
            key = (scorer, _VARYING.sub("…", text))
            if key in self._texts or len(self._texts) < KINDS_LIMIT:
                self._texts.setdefault(key, text)
                self._counts[key] += 1

    def ranked(self) -> list[ErrorGroup]:
        """Return the groups, the largest first."""
        return [ErrorGroup(key[0], count, self._texts[key]) for key, count in self._counts.most_common()]


def shown_groups(groups: Iterable[ErrorGroup]) -> list[str]:
    """Return the lines of the largest groups, and how many are left out."""
    lines = [str(group) for group in groups]
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"and {more:,} more kinds of errors"] if more > 0 else lines


def _errors_of(result: ReportedResult) -> Iterator[tuple[str, str]]:
    if result.error is not None:
        yield OUTPUT, result.error
    for failure in result.failures:
        if failure.is_error:
            yield failure.scorer, failure.text
