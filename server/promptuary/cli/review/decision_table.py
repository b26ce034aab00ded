"""Decisions as CSV, for spreadsheets: no cell is a formula."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FIELDS = ("item", "source", "reviewer", "decision", "comment", "at")


def decision_csv(decisions: Iterable[Mapping[str, Any]]) -> str:
    """Return the decisions, one a line, with a line of names first."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows([_plain(decision.get(field)) for field in _FIELDS] for decision in decisions)
    return output.getvalue()


def _plain(value: Any) -> str:
    """Return a text that a spreadsheet does not read as a formula."""
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text
