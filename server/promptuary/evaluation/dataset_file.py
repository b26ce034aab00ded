"""Dataset files: one JSON object a line (.jsonl), or a table (.csv) whose columns are variables."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.base.errors import InvalidRequest, MalformedBody
from promptuary.base.wire import loads
from promptuary.evaluation.case import Case, CaseIn
from promptuary.prompt.document import InvalidFile
from promptuary.prompt.errors import Fault
from promptuary.prompt.faults import faults_of
from promptuary.prompt.file import read_text

FILE_LIMIT = 64 * 1024 * 1024
FAULTS_LIMIT = 100
_COLUMNS = ("id", "expected", "cluster", "tags")
Line = tuple[int, dict[str, Any]]


def read_cases(path: Path) -> list[Case]:
    """Read a dataset of at most 64 MiB; the order of its cases is kept.

    Raises:
        InvalidFile: naming the file, and line and field of every fault (the first hundred of them).
    """
    reader = {".jsonl": _jsonl, ".csv": _csv}.get(path.suffix.lower())
    if reader is None:
        raise InvalidFile(f"{path} is not a dataset file", [Fault("", "must end in .jsonl or .csv")])
    text = read_text(path, FILE_LIMIT)
    faults: list[Fault] = []
    cases: list[Case] = []
    lines: dict[str, int] = {}
    for line, body in reader(text, faults):
        try:
            case = CaseIn.model_validate(body).case()
        except ValidationError as error:
            faults += [Fault(fault.path, fault.message, line) for fault in faults_of(error)]
            continue
        if case.id in lines:
            faults.append(Fault("id", f"'{case.id}' is the id of line {lines[case.id]} too", line))
        lines.setdefault(case.id, line)
        cases.append(case)
    if not cases and not faults:
        faults.append(Fault("", "has no case"))
    if faults:
        raise InvalidFile(f"{path} cannot be used", _first(sorted(faults, key=lambda fault: fault.line or 0)))
    return cases


def _first(faults: list[Fault]) -> list[Fault]:
    more = len(faults) - FAULTS_LIMIT
    return faults[:FAULTS_LIMIT] + ([Fault("", f"and {more} more faults")] if more > 0 else [])


def _jsonl(text: str, faults: list[Fault]) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            body = loads(line.encode())
        except MalformedBody as error:
            faults.append(Fault("", error.message.replace("the body", "the line", 1), number))
        except InvalidRequest as error:
            faults += [Fault(fault.path, fault.message, number) for fault in error.faults]
        else:
            if isinstance(body, dict):
                yield number, body
            else:
                faults.append(Fault("", "must be an object that has `id` and `vars`", number))


def _csv(text: str, faults: list[Fault]) -> Iterator[Line]:
    if "\x00" in text:
        faults.append(Fault("", "a NUL character", 1 + text[: text.index("\x00")].count("\n")))
        return
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(rows, [])]
        faults += [Fault("", words, 1) for words in _header_faults(header)]
        if faults:
            return
        line = rows.line_num + 1
        for row in rows:
            if len(row) == len(header):
                yield line, _body(dict(zip(header, row, strict=True)))
            elif row:
                faults.append(Fault("", f"has {len(row)} cells where the header has {len(header)}", line))
            line = rows.line_num + 1
    except csv.Error as error:
        faults.append(Fault("", f"cannot be read as CSV: {error}", line))


def _header_faults(header: list[str]) -> Iterator[str]:
    if not any(header):
        yield "has no header"
        return
    if "id" not in header:
        yield "the header has no column `id`"
    if "" in header:
        yield "the header has a column without a name"
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        yield f"the header has the column '{name}' twice"


def _body(cells: dict[str, str]) -> dict[str, Any]:
    """Give a row as a case's fields; an empty cell of a column that is no variable says nothing."""
    return {
        "id": cells["id"],
        "vars": {name: cell for name, cell in cells.items() if name not in _COLUMNS},
        "expected": cells.get("expected") or None,
        "cluster": cells.get("cluster") or None,
        "tags": [tag.strip() for tag in re.split("[,;]", cells.get("tags", "")) if tag.strip()],
    }
