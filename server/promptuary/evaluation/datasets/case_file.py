"""Dataset files: cases as JSON, or rows of a table whose columns are variables.

The formats are those of `readers`. Cases are read one by one and never kept in memory as a whole; see `case_spool`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from promptuary.core.errors import InvalidRequest
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_ids import CaseIds
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.datasets.readers.data_file import FILE_LIMIT, read_data_file
from promptuary.evaluation.datasets.readers.formats import FileFormat, read_rows
from promptuary.evaluation.datasets.readers.row import ERRORS_LIMIT, UNPACKED_LIMIT, FileErrors, Row
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError
from promptuary.prompt.validation_errors import field_errors_from

__all__ = ["ERRORS_LIMIT", "FILE_LIMIT", "read_case_file", "read_cases"]

_COLUMNS = ("id", "expected", "cluster", "tags", "weight")
_CASE_FIELDS = frozenset({field.alias or name for name, field in CaseIn.model_fields.items()}) - {*_COLUMNS, "metadata"}
"""The fields by which an object is a case, and no row of a table."""


def read_case_file(path: Path) -> CaseSpool:
    """Check a dataset of at most 64 MiB, and return its cases in their order; they stay on disk.

    Raises:
        InvalidFile: naming the file, and line and field of every error (the first hundred of them).
    """
    return read_data_file(path, "dataset file", _read_spool)


def _read_spool(file: IO[bytes], file_format: FileFormat, field_errors: FileErrors) -> CaseSpool:
    return _spooled(read_rows(file, file_format, field_errors), file_format, field_errors)


def read_cases(file: IO[bytes], file_format: FileFormat) -> CaseSpool:
    """Check the cases of a request's body.

    Raises:
        InvalidRequest: with line and field of every error (the first hundred of them).
    """
    field_errors = FileErrors()
    spool = _read_spool(file, file_format, field_errors)
    if field_errors:
        placed = [
            FieldError(": ".join(filter(None, [_place(error), error.path])), error.message) for error in field_errors.listed()
        ]
        raise InvalidRequest("the dataset cannot be used", placed)
    return spool


def _place(error: FieldError) -> str:
    return f"line {error.line}" if error.line else ""


def _spooled(rows: Iterator[Row], file_format: FileFormat, field_errors: FileErrors) -> CaseSpool:
    """Check each row, and write its case to the spool until there is an error."""
    spool, places, ids, size = CaseSpool(), dict[str, int](), CaseIds(), 0
    for number, row in enumerate(rows, 1):
        body = row.values if _is_case(row.values, file_format) else _case_of_columns(row.values)
        is_unnamed_row = file_format.is_table and "id" not in row.values
        place = _Place(row.line, file_format)
        case = _check_case(ids.with_id(body, number if is_unnamed_row else None), place, field_errors)
        if case is None:
            continue
        if case.id in places:
            field_errors.add(place.error("id", f"'{case.id}' is the id of {_Place(places[case.id], file_format)} too"))
        places.setdefault(case.id, row.line)
        if not field_errors:
            size += spool.add(case)
            if size > UNPACKED_LIMIT:
                field_errors.add(FieldError("", f"has cases of more than {UNPACKED_LIMIT} bytes"))
                break
    if not places and not field_errors:
        field_errors.add(FieldError("", "has no case"))
    spool.is_checked = not field_errors
    return spool


@dataclass(frozen=True)
class _Place:
    """Where a case stands: its line in a file, or its number in an array."""

    number: int
    file_format: FileFormat

    def error(self, path: str, message: str) -> FieldError:
        """Return an error of a field of the case."""
        if self.file_format is FileFormat.JSON:
            return FieldError(f"case {self.number}: {path}" if path else f"case {self.number}", message)
        return FieldError(path, message, self.number)

    def __str__(self) -> str:
        return f"{'case' if self.file_format is FileFormat.JSON else 'line'} {self.number}"


def _check_case(body: JsonObject, place: _Place, field_errors: FileErrors) -> Case | None:
    try:
        return CaseIn.model_validate(body).case()
    except ValidationError as error:
        for field_error in field_errors_from(error):
            field_errors.add(place.error(field_error.path, field_error.message))
        return None


def _is_case(values: JsonObject, file_format: FileFormat) -> bool:
    """Return whether an object has the fields of a case; else its fields are columns, as in a table."""
    return not file_format.is_table and (not values.keys().isdisjoint(_CASE_FIELDS) or values.keys() <= {*_COLUMNS, "metadata"})


def _case_of_columns(values: JsonObject) -> JsonObject:
    """Return a row as a case's fields; an empty cell of a column that is no variable counts as missing.

    Without a column `expected`, the column `answer` beside `question` is the expected output.
    """
    expected = values.get("answer") if "question" in values and "expected" not in values else values.get("expected")
    cluster = values.get("cluster")
    return {
        "id": values.get("id"),
        "vars": {name: value for name, value in values.items() if name not in _COLUMNS},
        "expected": None if expected == "" else expected,
        "cluster": _text(cluster) if cluster not in (None, "") else None,
        "tags": _tags(values.get("tags")),
        **_weight(values.get("weight")),
    }


def _tags(value: Any) -> Any:
    """Return the tags of a cell, which may list several with commas or semicolons."""
    if value is None or isinstance(value, list):
        return value or []
    return [tag.strip() for tag in re.split("[,;]", str(_text(value))) if tag.strip()]


def _weight(value: Any) -> JsonObject:
    """Return the weight of a cell, which a table of texts has in digits; any other value stays, for the schema to judge."""
    if value in (None, ""):
        return {}
    try:
        return {"weight": float(value) if isinstance(value, str) else value}
    except ValueError:
        return {"weight": value}


def _text(value: Any) -> Any:
    """Return a number as text; any other value stays, for the schema to judge."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
