"""Files of outputs that are there already: an output a line (.jsonl), or a table (such as .csv) with the column `output`.

They become a dataset of their own, whose cases have the ids of the cases that the outputs answer.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from promptuary.evaluation.datasets.case_ids import text_id
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.datasets.readers.data_file import read_data_file
from promptuary.evaluation.datasets.readers.formats import FileFormat, read_values
from promptuary.evaluation.datasets.readers.row import FileErrors
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.validation_errors import field_errors_from

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
    named = [row for _, row in rows if any(row.get(key) not in (None, "") for key in _IDS)]
    if not named:
        if len(rows) != len(case_ids):
            raise InvalidFile(
                f"{path} has {len(rows)} outputs for {len(case_ids)} cases; give each its case's `id`, or one line a case"
            )
        rows = [(line, {**row, "id": case}) for (line, row), case in zip(rows, case_ids, strict=True)]
    by_case: dict[str, tuple[int, JsonObject]] = {}
    field_errors: list[FieldError] = []
    for line, row in rows:
        case = text_id(next((row[key] for key in _IDS if row.get(key) not in (None, "")), None))
        if not isinstance(case, str):
            field_errors.append(FieldError("id", "is required: the id of the case that the output answers", line))
        elif case in by_case:
            field_errors.append(FieldError("id", f"'{case}' has an output already", line))
        else:
            by_case[case] = (line, {name: value for name, value in row.items() if name not in _IDS})
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
    spool.is_checked = True
    return spool


def _unmatched(by_case: Collection[str], case_ids: Sequence[str]) -> Iterator[FieldError]:
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
    rows = read_data_file(path, "file of outputs", _read_values)
    for line, value in rows:
        row = value if isinstance(value, dict) else {OUTPUT: value}
        if OUTPUT not in row:
            raise InvalidFile(f"{path} cannot be used", [FieldError(OUTPUT, "is required", line)])
        yield line, row


def _read_values(file: IO[bytes], file_format: FileFormat, errors: FileErrors) -> list[tuple[int, Any]]:
    return list(read_values(file, file_format, errors))
