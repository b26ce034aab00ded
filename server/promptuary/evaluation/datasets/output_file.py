"""Files of outputs that are there already: an output a line (.jsonl), or a table (.csv) with the column `output`.

They become a dataset of their own, whose cases have the ids of the cases that the outputs answer.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.validation_errors import field_errors_from

FILE_LIMIT = 64 * 1024 * 1024
OUTPUT = "output"
_IDS = ("id", "case")
_SHOWN = 5


def read_output_file(path: Path, case_ids: Sequence[str]) -> CaseSpool:
    """Read the outputs of some cases, in the cases' order.

    A line names its case by `id`. Where no line does, the first line answers the first case, and so on.

    Args:
        path: of the file.
        case_ids: of the dataset, in its order.

    Raises:
        InvalidFile: for a line that cannot be read, a case without an output or with two, or an output of no case.
    """
    rows = list(_rows(path))
    named = [row for _, row in rows if any(row.get(key) is not None for key in _IDS)]
    if not named:
        if len(rows) != len(case_ids):
            raise InvalidFile(
                f"{path} has {len(rows)} outputs for {len(case_ids)} cases; give each its case's `id`, or one line a case"
            )
        rows = [(line, {"id": case, **row}) for (line, row), case in zip(rows, case_ids, strict=True)]
    by_case: dict[str, tuple[int, JsonObject]] = {}
    field_errors: list[FieldError] = []
    for line, row in rows:
        case = next((row[key] for key in _IDS if row.get(key) is not None), None)
        if not isinstance(case, str | int) or isinstance(case, bool):
            field_errors.append(FieldError("id", "is required: the id of the case that the output answers", line))
        elif str(case) in by_case:
            field_errors.append(FieldError("id", f"'{case}' has an output already", line))
        else:
            by_case[str(case)] = (line, {name: value for name, value in row.items() if name not in _IDS})
    field_errors += _unmatched(by_case, case_ids)
    if field_errors:
        raise InvalidFile(f"{path} cannot be used", field_errors[:100])
    spool = CaseSpool()
    for case in case_ids:
        line, fields = by_case[case]
        try:
            spool.add(CaseIn.model_validate({"id": case, "vars": fields}).case())
        except ValidationError as error:
            further = [FieldError(each.path, each.message, line) for each in field_errors_from(error)]
            raise InvalidFile(f"{path} cannot be used", further) from None
    return spool


def _unmatched(by_case: dict[str, Any], case_ids: Sequence[str]) -> Iterator[FieldError]:
    known = set(case_ids)
    missing = [case for case in case_ids if case not in by_case]
    unknown = [case for case in by_case if case not in known]
    if missing:
        yield FieldError("", f"has no output for {len(missing)} of {len(case_ids)} cases: {_listed(missing)}")
    if unknown:
        yield FieldError("", f"has outputs of {len(unknown)} cases that the dataset does not have: {_listed(unknown)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def _rows(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Yield each output as an object, with the number of its line."""
    text = read_text(path, FILE_LIMIT)
    rows = _table(text, path) if path.suffix == ".csv" else _lines(text, path)
    for line, row in rows:
        if OUTPUT not in row:
            raise InvalidFile(f"{path} cannot be used", [FieldError(OUTPUT, "is required", line)])
        yield line, row


def _lines(text: str, path: Path) -> Iterator[tuple[int, JsonObject]]:
    for line, source in enumerate(text.split("\n"), 1):
        if not source.strip():
            continue
        try:
            value = json.loads(source)
        except (ValueError, RecursionError):
            raise InvalidFile(f"{path} cannot be used", [FieldError("", "is not JSON", line)]) from None
        yield line, value if isinstance(value, dict) else {OUTPUT: value}


def _table(text: str, path: Path) -> Iterator[tuple[int, JsonObject]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        for row in reader:
            yield reader.line_num, {name: cell for name, cell in row.items() if isinstance(name, str) and cell is not None}
    except csv.Error as error:
        raise InvalidFile(f"{path} cannot be read as CSV: {error}") from None
