"""The kinds of files that have rows, by their suffixes and media types."""

from collections.abc import Iterator
from enum import StrEnum
from typing import IO, Any

from promptuary.evaluation.datasets.readers.csv_table import csv_rows
from promptuary.evaluation.datasets.readers.json_rows import json_array_values, json_line_values, object_rows
from promptuary.evaluation.datasets.readers.parquet import parquet_rows
from promptuary.evaluation.datasets.readers.row import FileErrors, Row
from promptuary.evaluation.datasets.readers.workbook import workbook_rows


class FileFormat(StrEnum):
    """The format of a file with rows."""

    JSON_LINES = "jsonl"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"

    @property
    def is_table(self) -> bool:
        """Whether every row has the same columns, of which none is named `vars`."""
        return self in (FileFormat.CSV, FileFormat.XLSX, FileFormat.PARQUET)


SUFFIXES = {
    ".jsonl": FileFormat.JSON_LINES,
    ".ndjson": FileFormat.JSON_LINES,
    ".json": FileFormat.JSON,
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".xlsx": FileFormat.XLSX,
    ".parquet": FileFormat.PARQUET,
}


def format_of(suffix: str) -> FileFormat | None:
    """Return the format of a file by the suffix of its name, in any case; None for an unknown one."""
    return SUFFIXES.get(suffix.lower())


def listed_suffixes() -> str:
    """Return the suffixes for a message."""
    *first, last = SUFFIXES
    return f"{', '.join(first)} or {last}"


def read_rows(file: IO[bytes], file_format: FileFormat, errors: FileErrors) -> Iterator[Row]:
    """Yield the rows of a file, and add what is wrong with others, or that the library for a format is not installed."""
    if file_format is FileFormat.CSV:
        return csv_rows(file, errors)
    if file_format is FileFormat.XLSX:
        return workbook_rows(file, errors)
    if file_format is FileFormat.PARQUET:
        return parquet_rows(file, errors)
    return object_rows(read_values(file, file_format, errors), errors)


def read_values(file: IO[bytes], file_format: FileFormat, errors: FileErrors) -> Iterator[tuple[int, Any]]:
    """Yield the values of a JSON file with their line, whatever they are; of another file its rows."""
    if file_format is FileFormat.JSON_LINES:
        return json_line_values(file, errors)
    if file_format is FileFormat.JSON:
        return json_array_values(file, errors)
    return ((row.line, row.values) for row in read_rows(file, file_format, errors))
