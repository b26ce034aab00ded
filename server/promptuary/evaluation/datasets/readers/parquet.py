"""Rows of a Parquet file: lists and structs stay JSON, dates become ISO 8601, and a null is a missing value."""

import datetime
import decimal
import math
import uuid
from collections.abc import Iterator
from typing import IO, Any

from pydantic import JsonValue

from promptuary.evaluation.datasets.readers.row import UNPACKED_LIMIT, FileErrors, Row, header_errors
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError

_BATCH = 100
_DEPTH_LIMIT = 64


class _NoJson(Exception):
    """A value has no form in JSON; the message has the type."""


def parquet_rows(file: IO[bytes], errors: FileErrors) -> Iterator[Row]:
    """Yield the rows of a file; the line of a row is its number, from 1."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        errors.add(FieldError("", "reading .parquet files needs pyarrow; install promptuary[tables]"))
        return
    file.seek(0)
    number = 0
    try:
        source = parquet.ParquetFile(file)
        unpacked = sum(source.metadata.row_group(group).total_byte_size for group in range(source.metadata.num_row_groups))
        if unpacked > UNPACKED_LIMIT:
            errors.add(FieldError("", f"is over the limit of {UNPACKED_LIMIT} bytes when it is unpacked"))
            return
        for message in header_errors(list(source.schema_arrow.names)):
            errors.add(FieldError("", message))
        if errors:
            return
        for batch in source.iter_batches(batch_size=_BATCH, use_threads=False):
            for values in batch.to_pylist():
                number += 1
                row = _row(number, values, errors)
                if row is not None:
                    yield row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        errors.add(FieldError("", f"cannot be read as Parquet: {str(error).splitlines()[0][:200]}"))


def _row(number: int, values: JsonObject, errors: FileErrors) -> Row | None:
    converted: dict[str, JsonValue] = {}
    for name, value in values.items():
        try:
            if value is not None:
                converted[name] = _json_value(value)
        except _NoJson as error:
            errors.add(FieldError(name, str(error), number))
            return None
    return Row(number, converted)


def _json_value(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH_LIMIT:
        raise _NoJson(f"is nested more than {_DEPTH_LIMIT} deep")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _NoJson("is no finite number; a missing value is a null in Parquet")
        return value
    if isinstance(value, dict):
        return {str(name): _json_value(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        pairs = value and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value)
        return _json_value(dict(value), depth) if pairs else [_json_value(item, depth + 1) for item in value]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    raise _NoJson(f"is of the type {type(value).__name__}, which is no text, number, list or object")
