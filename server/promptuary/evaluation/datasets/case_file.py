"""Dataset files: one JSON object a line (.jsonl), or a table (.csv) whose columns are variables.

They are read line by line and never kept in memory as a whole; see `case_spool`.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from promptuary.core.errors import InvalidRequest, MalformedBody
from promptuary.core.wire import parse_strict_json
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.text import refused_character
from promptuary.prompt.validation_errors import field_errors_from

FILE_LIMIT = 64 * 1024 * 1024
ERRORS_LIMIT = 100
_COLUMNS = ("id", "expected", "cluster", "tags")
NumberedLine = tuple[int, JsonObject]


class FileErrors:
    """The errors of a file: the first hundred, and the number of further ones."""

    def __init__(self) -> None:
        """Begin without any."""
        self._first: list[FieldError] = []
        self._more = 0

    def add(self, error: FieldError) -> None:
        """Add an error."""
        if len(self._first) < ERRORS_LIMIT:
            self._first.append(error)
        else:
            self._more += 1

    def __bool__(self) -> bool:
        return bool(self._first)

    def listed(self) -> list[FieldError]:
        """Return the errors in the order of their lines."""
        return self._first + ([FieldError("", f"and {self._more} more errors")] if self._more else [])


def read_case_file(path: Path) -> CaseSpool:
    """Check a dataset of at most 64 MiB, and return its cases in their order; they stay on disk.

    Raises:
        InvalidFile: naming the file, and line and field of every error (the first hundred of them).
    """
    reader = {".jsonl": _jsonl, ".csv": _csv}.get(path.suffix.lower())
    if reader is None:
        raise InvalidFile(f"{path} is not a dataset file", [FieldError("", "must end in .jsonl or .csv")])
    field_errors = FileErrors()
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise InvalidFile(f"{path} is over the limit of {FILE_LIMIT} bytes")
        with path.open("rb") as file:
            spool = _spooled(reader(_without_mark(file), field_errors), field_errors)
    except FileNotFoundError:
        raise InvalidFile(f"{path} does not exist") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}") from None
    if field_errors:
        raise InvalidFile(f"{path} cannot be used", field_errors.listed())
    return spool


def read_case_lines(file: IO[bytes]) -> CaseSpool:
    """Check the cases of a request, one JSON object a line.

    Raises:
        InvalidRequest: with line and field of every error (the first hundred of them).
    """
    field_errors = FileErrors()
    spool = _spooled(_jsonl(file, field_errors), field_errors)
    if field_errors:
        placed = [
            FieldError(": ".join(filter(None, [_place(error), error.path])), error.message) for error in field_errors.listed()
        ]
        raise InvalidRequest("the dataset cannot be used", placed)
    return spool


def _place(error: FieldError) -> str:
    return f"line {error.line}" if error.line else ""


def _spooled(lines: Iterator[NumberedLine], field_errors: FileErrors) -> CaseSpool:
    """Check each line, and write its case to the spool until there is an error."""
    spool, places = CaseSpool(), dict[str, int]()
    for line, body in lines:
        case = _check_case(body, line, field_errors)
        if case is None:
            continue
        if case.id in places:
            field_errors.add(FieldError("id", f"'{case.id}' is the id of line {places[case.id]} too", line))
        places.setdefault(case.id, line)
        if not field_errors:
            spool.add(case)
    if not places and not field_errors:
        field_errors.add(FieldError("", "has no case"))
    return spool


def _check_case(body: JsonObject, line: int, field_errors: FileErrors) -> Case | None:
    try:
        return CaseIn.model_validate(body).case()
    except ValidationError as error:
        for field_error in field_errors_from(error):
            field_errors.add(FieldError(field_error.path, field_error.message, line))
        return None


def _without_mark(file: IO[bytes]) -> IO[bytes]:
    """Skip a byte order mark."""
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    return file


def _jsonl(file: IO[bytes], field_errors: FileErrors) -> Iterator[NumberedLine]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            body = parse_strict_json(line)
        except MalformedBody as error:
            field_errors.add(FieldError("", error.message.replace("the body", "the line", 1), number))
        except InvalidRequest as error:
            for field_error in error.field_errors:
                field_errors.add(FieldError(field_error.path, field_error.message, number))
        else:
            if isinstance(body, dict):
                yield number, body
            else:
                field_errors.add(FieldError("", "must be an object that has `id` and `vars`", number))


def _csv(file: IO[bytes], field_errors: FileErrors) -> Iterator[NumberedLine]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.reader(text, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(rows, [])]
        for header_error in _header_errors(header):
            field_errors.add(FieldError("", header_error, 1))
        if field_errors:
            return
        line = rows.line_num + 1
        for row in rows:
            if (message := refused_character("".join(row))) is not None:
                field_errors.add(FieldError("", message, line))
            elif len(row) == len(header):
                yield line, _body(dict(zip(header, row, strict=True)))
            elif row:
                field_errors.add(FieldError("", f"has {len(row)} cells where the header has {len(header)}", line))
            line = rows.line_num + 1
    except csv.Error as error:
        field_errors.add(FieldError("", f"cannot be read as CSV: {error}", line))
    except UnicodeDecodeError:
        field_errors.add(FieldError("", "is not UTF-8", line))
    finally:
        text.detach()  # the file is its opener's to close


def _header_errors(header: list[str]) -> Iterator[str]:
    if not any(header):
        yield "has no header"
        return
    if "id" not in header:
        yield "the header has no column `id`"
    if "" in header:
        yield "the header has a column without a name"
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        yield f"the header has the column '{name}' twice"


def _body(cells: dict[str, str]) -> JsonObject:
    """Return a row as a case's fields; an empty cell of a column that is no variable counts as missing."""
    return {
        "id": cells["id"],
        "vars": {name: cell for name, cell in cells.items() if name not in _COLUMNS},
        "expected": cells.get("expected") or None,
        "cluster": cells.get("cluster") or None,
        "tags": [tag.strip() for tag in re.split("[,;]", cells.get("tags", "")) if tag.strip()],
    }
