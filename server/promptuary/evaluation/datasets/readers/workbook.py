"""Rows of an XLSX workbook, with the values that its program stored; formulas are never computed.

A workbook is a ZIP archive of XML files, so it is checked before it is parsed: its size when unpacked, and that no XML file has
a document type, by which a small file could expand into a large one.
"""

import datetime
import math
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

from promptuary.evaluation.datasets.readers.row import UNPACKED_LIMIT, FileErrors, Row, header_errors
from promptuary.prompt.errors import FieldError
from promptuary.prompt.text import refused_character

FILES_LIMIT = 2000
CELLS_LIMIT = 5_000_000
"""The most cells of a sheet, empty ones before a cell of their row included."""
_PIECE = 1024 * 1024
_ERROR_TYPE, _FORMULA_TYPE = "e", "f"


def workbook_rows(file: IO[bytes], errors: FileErrors, sheet: str | None = None) -> Iterator[Row]:
    """Yield the rows of a sheet whose first row names the columns; an empty cell is an empty text.

    Args:
        file: of the workbook.
        errors: gets what is wrong; such a row is left out.
        sheet: its name or its number from 1; None for the first one.
    """
    try:
        import openpyxl
    except ModuleNotFoundError:
        errors.add(FieldError("", "reading .xlsx files needs openpyxl; install promptuary[tables]"))
        return
    if (message := _archive_error(file)) is not None:
        errors.add(FieldError("", message))
        return
    workbooks = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations that are not read
            for stored in (True, False):
                file.seek(0)
                workbooks.append(openpyxl.load_workbook(file, read_only=True, data_only=stored, keep_links=False))
        selected = [_sheet(workbook, sheet) for workbook in workbooks]
        if None in selected:
            names = ", ".join(workbooks[0].sheetnames)
            errors.add(FieldError("", f"has no sheet '{sheet}'; its sheets are {names}"))
            return
        yield from _rows(selected[0], selected[1], errors)
    except Exception as error:  # openpyxl raises whatever its parsers do
        errors.add(FieldError("", f"cannot be read as a workbook: {type(error).__name__}: {error}"))


def _archive_error(file: IO[bytes]) -> str | None:
    """Return what is wrong with the archive; None for one that may be parsed."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > FILES_LIMIT or sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
                return f"is over the limit of {UNPACKED_LIMIT} bytes when it is unpacked, or of {FILES_LIMIT} files in it"
            for entry in entries:
                if entry.filename.lower().endswith((".xml", ".rels", ".vml")) and _has_document_type(archive, entry):
                    return f"has a document type in '{entry.filename}', which no workbook needs"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        encrypted = ": it is protected by a password" if "password" in str(error) or "encrypted" in str(error) else ""
        return f"is no XLSX workbook{encrypted}; a file of an older program is to be saved as .xlsx"
    return None


def _has_document_type(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Return whether an XML file declares a document type, or is in an encoding that hides one."""
    before = b""
    with archive.open(entry) as part:
        while piece := part.read(_PIECE):
            if not before and b"\x00" in piece[:4]:
                return True
            if b"<!DOCTYPE" in before + piece or b"<!ENTITY" in before + piece:
                return True
            before = piece[-16:]
    return False


def _sheet(workbook: Any, sheet: str | None) -> Any:
    sheets = workbook.worksheets
    if sheet is None:
        return sheets[0] if sheets else None
    by_name = next((candidate for candidate in sheets if candidate.title == sheet), None)
    if by_name is None and sheet.isdecimal() and 0 < int(sheet) <= len(sheets):
        return sheets[int(sheet) - 1]
    return by_name


def _rows(stored: Any, written: Any, errors: FileErrors) -> Iterator[Row]:
    for side in (stored, written):
        side.reset_dimensions()  # the file's word for it, which may be a million rows
    header: list[str] | None = None
    cells_read = 0
    for number, (values, formulas) in enumerate(zip(stored.iter_rows(), written.iter_rows(), strict=True), 1):
        cells_read += len(values)
        if cells_read > CELLS_LIMIT:
            errors.add(FieldError("", f"has more than {CELLS_LIMIT} cells", number))
            return
        if not any(_is_filled(cell) for cell in formulas):
            continue
        if header is None:
            header = _header(values)
            for message in header_errors(header):
                errors.add(FieldError("", message, number))
            if errors:
                return
            continue
        messages = list(_cell_errors(header, values, formulas))
        for message in messages:
            errors.add(FieldError("", message, number))
        if not messages:
            padded = [_json_value(cell.value) for cell in values[: len(header)]]
            yield Row(number, dict(zip(header, padded + [""] * (len(header) - len(padded)), strict=True)))
    if header is None:
        errors.add(FieldError("", "has no header", 1))


def _is_filled(cell: Any) -> bool:
    return cell.value is not None and cell.value != ""


def _header(values: Sequence[Any]) -> list[str]:
    names = [str(_json_value(cell.value)).strip() for cell in values]
    while names and not names[-1]:
        names.pop()
    return names


def _cell_errors(header: Sequence[str], values: Sequence[Any], formulas: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with the cells of a row."""
    for position, (cell, written) in enumerate(zip(values, formulas, strict=False)):
        name = header[position] if position < len(header) else None
        if name is None:
            if _is_filled(written):
                yield f"has a cell beyond the {len(header)} columns of the header"
                return
        elif written.data_type == _FORMULA_TYPE and cell.value is None:
            yield f"'{name}' is a formula without a stored value: save the workbook in its program, or paste the value"
        elif cell.data_type == _ERROR_TYPE:
            yield f"'{name}' is the error {cell.value}"
        elif isinstance(cell.value, float) and not math.isfinite(cell.value):
            yield f"'{name}' is no finite number"
        elif isinstance(cell.value, str) and (refused := refused_character(cell.value)) is not None:
            yield f"'{name}' {refused}"


def _json_value(value: Any) -> Any:
    """Return a cell's value as JSON: a date as ISO 8601, a whole number without a point, an empty cell as an empty text."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float) else str(value)
