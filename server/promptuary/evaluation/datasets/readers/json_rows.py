"""Rows of JSON: an object a line, or an array of objects, which a single object may have under `cases`."""

from collections.abc import Iterator
from typing import IO, Any

from promptuary.core.errors import InvalidRequest, MalformedBody
from promptuary.core.wire import parse_strict_json
from promptuary.evaluation.datasets.readers.encoding import REMEDY, detect_encoding, open_text
from promptuary.evaluation.datasets.readers.row import FileErrors, Row
from promptuary.prompt.errors import FieldError


def json_line_values(file: IO[bytes], errors: FileErrors) -> Iterator[tuple[int, Any]]:
    """Yield the value of each line that is not empty, with the line's number."""
    for number, line in enumerate(_lines(file, errors), 1):
        if line.strip():
            yield from ((number, value) for value in _parsed(line, "the line", number, errors))


def json_array_values(file: IO[bytes], errors: FileErrors) -> Iterator[tuple[int, Any]]:
    """Yield the items of an array, with their numbers from 1."""
    whole = b"".join(_lines(file, errors))
    for value in _parsed(whole, "the file", None, errors) if whole.strip() else ():
        items = value.get("cases") if isinstance(value, dict) else value
        if isinstance(items, list):
            yield from enumerate(items, 1)
        else:
            errors.add(FieldError("", "must be an array of cases, or an object that has one under `cases`"))


def object_rows(values: Iterator[tuple[int, Any]], errors: FileErrors) -> Iterator[Row]:
    """Yield the values that are objects; others are errors."""
    for number, value in values:
        if isinstance(value, dict):
            yield Row(number, value)
        else:
            errors.add(FieldError("", f"{value!r:.40} must be an object that has `vars`, or the columns of a table", number))


def _lines(file: IO[bytes], errors: FileErrors) -> Iterator[bytes]:
    """Yield the lines of a file in UTF-8, of which a byte order mark is no part."""
    file.seek(0)
    length, encoding = detect_encoding(file.read(4))
    file.seek(length)
    if encoding == "utf-8":
        yield from file
        return
    text = open_text(file)
    try:
        for line in text:
            yield line.encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        errors.add(FieldError("", f"is no text in UTF-8 or UTF-16; {REMEDY}"))
    finally:
        text.detach()


def _parsed(source: bytes, noun: str, line: int | None, errors: FileErrors) -> Iterator[Any]:
    """Yield the value, or nothing after adding what is wrong with it."""
    try:
        yield parse_strict_json(source)
    except MalformedBody as error:
        errors.add(FieldError("", error.message.replace("the body", noun, 1), line))
    except InvalidRequest as error:
        for field_error in error.field_errors:
            errors.add(FieldError(field_error.path, field_error.message, line))
