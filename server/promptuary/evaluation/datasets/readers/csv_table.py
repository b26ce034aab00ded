"""Tables of texts: comma, semicolon or tab between cells, quotes as RFC 4180 has them, or relaxed as promptfoo falls back to.

Python's `csv` reads what is well-formed. Where a quoted cell continues after its closing quote (`"…" ,x`), it would fail or
drop the quotes; csv-parse, which promptfoo uses, keeps such a cell with its quotes, and so does this module.
"""

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from promptuary.evaluation.datasets.readers.encoding import REMEDY, detect_encoding, open_text
from promptuary.evaluation.datasets.readers.row import FileErrors, Row, header_errors
from promptuary.prompt.errors import FieldError
from promptuary.prompt.text import refused_character

DELIMITERS = (",", ";", "\t")
CELL_LIMIT = 2**31 - 1
csv.field_size_limit(CELL_LIMIT)  # of the whole process: 131,072 characters by default, less than a document; files have limits
_HEADER_LIMIT = 64 * 1024
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*+"')
_DECLARED = re.compile(r"sep=([,;\t|])\r?\n")
_NumberedCells = tuple[int, list[str]]


@dataclass(frozen=True)
class CsvFormat:
    """What a table's first line shows.

    Attributes:
        delimiter: between cells.
        declared: whether the first line is Excel's `sep=;`, which is no row.
        encoding: of the file.
    """

    delimiter: str
    declared: bool
    encoding: str


def detect_format(file: IO[bytes], *, comma_first: bool = False) -> CsvFormat:
    """Detect the encoding and the delimiter: the most frequent one of the header, outside of quotes; a comma where none is.

    Args:
        file: read from its start.
        comma_first: whether a comma in the header decides, as in promptfoo, however many others there are.

    Raises:
        UnicodeDecodeError: for a file that is no text.
    """
    file.seek(0)
    encoding = detect_encoding(file.read(4))[1]
    text = open_text(file)
    try:
        start = text.read(_HEADER_LIMIT)
    finally:
        text.detach()
    if match := _DECLARED.match(start):
        return CsvFormat(match[1], declared=True, encoding=encoding)
    header = re.split(r"[\r\n]", _QUOTED.sub("", start).lstrip("\r\n"), maxsplit=1)[0]
    if comma_first and "," in header:
        return CsvFormat(",", declared=False, encoding=encoding)
    delimiter = max(DELIMITERS, key=header.count)  # the first of equals
    return CsvFormat(delimiter, declared=False, encoding=encoding)


def csv_rows(file: IO[bytes], errors: FileErrors) -> Iterator[Row]:
    """Yield the rows of a table whose first line names the columns; errors are added, and their rows left out."""
    line = 1
    try:
        form = detect_format(file)
        lines = numbered_cells(file, form)
        line, cells = next(lines, (1, list[str]()))
        header = [name.strip() for name in cells]
        for message in header_errors(header):
            errors.add(FieldError("", message, line))
        if errors:
            return
        for line, cells in lines:
            if (refused := refused_character("".join(cells))) is not None:
                errors.add(FieldError("", refused, line))
            elif len(cells) == len(header):
                yield Row(line, dict(zip(header, cells, strict=True)))
            elif cells:
                errors.add(FieldError("", f"has {len(cells)} cells where the header has {len(header)}", line))
    except csv.Error as error:
        errors.add(FieldError("", f"cannot be read as CSV: {error}", line + 1))
    except UnicodeDecodeError:
        errors.add(FieldError("", f"is no text in UTF-8 or UTF-16; {REMEDY}"))


def numbered_cells(file: IO[bytes], form: CsvFormat) -> Iterator[_NumberedCells]:
    """Yield the first line and the cells of each row that is not empty, read strictly where all of the file is well-formed.

    Raises:
        csv.Error: for a quote that is not closed.
        UnicodeDecodeError: for a file that is no text.
    """
    text = open_text(file)
    try:
        for _ in csv.reader(text, delimiter=form.delimiter, strict=True):
            pass
        well_formed = True
    except csv.Error:
        well_formed = False
    finally:
        text.detach()
    text = open_text(file)
    try:
        if well_formed:
            yield from itertools.islice(_strict(text, form.delimiter), int(form.declared), None)
        else:
            yield from itertools.islice(_relaxed(text.read(), form.delimiter), int(form.declared), None)
    finally:
        text.detach()


def _strict(text: IO[str], delimiter: str) -> Iterator[_NumberedCells]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _relaxed(text: str, delimiter: str) -> Iterator[_NumberedCells]:
    """Yield rows as csv-parse does with `relax_quotes`.

    A quoted cell that continues after its closing quote is taken as it stands, quotes included, up to the next delimiter.

    Raises:
        csv.Error: for a quote that is not closed.
    """
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    end = re.compile(rf"{re.escape(delimiter)}|\r\n|\r|\n|\Z")
    position, line, cells = 0, 1, list[str]()
    first_line = line
    while position < len(text):
        cell, position = _relaxed_cell(text, position, plain, end)
        cells.append(cell)
        line += cell.count("\n")
        mark = end.match(text, position)
        assert mark is not None  # a cell ends nowhere else
        position = mark.end()
        if mark[0] == delimiter and position < len(text):
            continue
        if mark[0] == delimiter:
            cells.append("")
        if cells != [""]:
            yield first_line, cells
        line += 1
        first_line, cells = line, []


def _relaxed_cell(text: str, position: int, plain: re.Pattern[str], end: re.Pattern[str]) -> tuple[str, int]:
    """Return the cell at a position, and the position after it."""
    if not text.startswith('"', position):
        match = plain.match(text, position)
        assert match is not None  # it may be empty
        return match[0], match.end()
    quoted = _QUOTED.match(text, position)
    if quoted is None:
        raise csv.Error("a quote is not closed")
    content = quoted[0][1:-1].replace('""', '"')
    if end.match(text, quoted.end()):
        return content, quoted.end()
    rest = plain.match(text, quoted.end())
    assert rest is not None  # it may be empty
    return f'"{content}"{rest[0]}', rest.end()
