"""CSV for spreadsheets: no cell is a formula, whatever a model or a person wrote."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from promptuary.review.exports.columns import Column, cell_text
from promptuary.review.exports.export_row import ExportRow

# What begins a formula in a spreadsheet, also after spaces, as full-width characters, and after a line break in a cell.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_lines(columns: Sequence[Column], rows: Iterable[ExportRow]) -> Iterator[bytes]:
    """Yield the lines of a CSV file in UTF-8, the names of the columns first."""
    yield _line([column.name for column in columns])
    for row in rows:
        yield _line([_cell(column.value(row), is_number=column.is_number) for column in columns])


def _line(cells: Sequence[Any]) -> bytes:
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerow([plain_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return output.getvalue().encode()


def _cell(value: Any, *, is_number: bool) -> Any:
    return value if is_number else cell_text(value)


def plain_cell(text: str) -> str:
    """Return a text that a spreadsheet does not read as a formula: an apostrophe is put before one that could be."""
    return "'" + text if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text
