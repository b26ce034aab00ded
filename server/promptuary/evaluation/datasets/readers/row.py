"""A row of a file, the rules of headers, and the errors of a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError

ERRORS_LIMIT = 100
UNPACKED_LIMIT = 256 * 1024 * 1024
"""The most bytes that a compressed file may have when it is unpacked."""


@dataclass(frozen=True)
class Row:
    """A row of a file.

    Attributes:
        line: its line in the file or its row in the sheet, from 1.
        values: by the names of the columns; those of a CSV file are texts.
    """

    line: int
    values: JsonObject


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


def header_errors(header: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the names of columns."""
    if not any(header):
        yield "has no header"
        return
    if "" in header:
        yield "the header has a column without a name"
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        yield f"the header has the column '{name}' twice"
