"""The files that a suite's applications name: a Python function's code is copied into the suite, outputs become a dataset."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptuary.evaluation.applications.function_source import CODE_LIMIT, PROMPTFOO_FUNCTION, is_file
from promptuary.evaluation.applications.spec import STORED_OUTPUTS, TargetSpec
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.datasets.output_file import read_output_file
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.file_values import resolve_file
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import fold_name, fold_words

DEFAULT_FUNCTION = "answer"
_SCHEME = "file://"
_SUITE_LIMIT, _STEM_LIMIT = 60, 50


def inline_functions(body: JsonObject, folder: Path, field_errors: list[FieldError]) -> JsonObject:
    """Return a suite's body with the code of the Python files that its applications name.

    Args:
        body: of the suite's file, not checked yet.
        folder: of the file; nothing outside of it is read.
        field_errors: gets an error for each file that cannot be used.
    """
    target = body.get("target")
    if isinstance(target, list):
        return {**body, "target": [_with_code(entry, folder, f"target.{n}", field_errors) for n, entry in enumerate(target)]}
    return {**body, "target": _with_code(target, folder, "target", field_errors)} if isinstance(target, dict) else body


def inline_function(reference: str, folder: Path, default: str = DEFAULT_FUNCTION) -> JsonObject:
    """Return the file, function and code that a text `file.py:function` names.

    Raises:
        InvalidFile: for a file that is outside the folder, too large, or not there.
    """
    name = reference.removeprefix(_SCHEME)
    head, _, function = name.rpartition(":")
    file, function = (head, function) if head else (name, default)
    return {"file": file, "function": function, "code": read_text(resolve_file(file, folder), CODE_LIMIT)}


def read_outputs(
    targets: Sequence[TargetSpec], folder: Path, cases: CaseSpool, field_errors: list[FieldError]
) -> dict[str, CaseSpool]:
    """Read the files of outputs, and check that every case has one.

    Args:
        targets: of the suite.
        folder: of the suite's file.
        cases: of its dataset.
        field_errors: gets an error for each file that cannot be used, and for each column that a case lacks.

    Returns:
        The outputs of each file, by its name in the suite.
    """
    outputs: dict[str, CaseSpool] = {}
    for target in targets:
        if isinstance(target.outputs, str):
            stored = outputs_dataset("", target.outputs)
            other = next((file for file in outputs if outputs_dataset("", file) == stored), target.outputs)
            if other != target.outputs:
                message = f"'{target.outputs}' and '{other}' would be stored under one name; rename one of the files"
                field_errors.append(FieldError("outputs", message))
                continue
            try:
                outputs[target.outputs] = read_output_file(folder / target.outputs, [case.id for case in cases])
            except InvalidFile as error:
                field_errors.append(FieldError("outputs", str(error)))
        elif target.outputs is not None:
            column = target.outputs.column
            missing = [case.id for case in cases if column not in case.vars]
            if missing:
                listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
                message = f"'{column}' is no variable of {len(missing)} of {len(cases)} cases: {listed}"
                field_errors.append(FieldError("outputs.column", message))
    return outputs


def outputs_dataset(suite: str, file: str) -> str:
    """Return the name of the dataset in which a suite's file of outputs is stored."""
    stem = fold_name(Path(file).stem)
    if len(stem) > _STEM_LIMIT:
        stem = fold_words(Path(file).stem, _STEM_LIMIT)
    start = suite if len(suite) <= _SUITE_LIMIT else fold_words(suite, _SUITE_LIMIT)
    return f"{start}{STORED_OUTPUTS}{stem or hashlib.sha256(file.encode()).hexdigest()[:10]}"


def with_stored_outputs(definition: JsonObject, names: Mapping[str, str]) -> JsonObject:
    """Return a suite's definition that names stored datasets in place of files of outputs."""

    def renamed(part: JsonObject) -> JsonObject:
        outputs = part.get("outputs")
        return {**part, "outputs": names[outputs]} if isinstance(outputs, str) else part

    whole, target = renamed(definition), definition.get("target")
    if isinstance(target, list):
        return {**whole, "target": [renamed(entry) for entry in target]}
    return {**whole, "target": renamed(target)} if isinstance(target, dict) else whole


def _with_code(target: Any, folder: Path, place: str, field_errors: list[FieldError]) -> Any:
    """Return an application with the code of its function's file, where it names one."""
    if not isinstance(target, dict):
        return target
    python = target.get("python")
    reference = python.get("function") if isinstance(python, dict) else python
    if not isinstance(reference, str) or not is_file(reference):
        return target
    default = PROMPTFOO_FUNCTION if isinstance(python, dict) and python.get("semantics") else DEFAULT_FUNCTION
    try:
        function = inline_function(reference, folder, default)
    except InvalidFile as error:
        suffix = ".function" if isinstance(python, dict) else ""
        field_errors.append(FieldError(f"{place}.python{suffix}", error.message))
        return target
    settings = python if isinstance(python, dict) else {}
    return {**target, "python": {**settings, "function": function}}
