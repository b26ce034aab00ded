"""The files that a suite's transforms name: their code is copied into the suite."""

from pathlib import Path
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.file_values import inline_transform
from promptuary.prompt.errors import FieldError, Invalid


def inline_suite_transforms(body: JsonObject, folder: Path, field_errors: list[FieldError]) -> JsonObject:
    """Return a suite's body with the code of the files that its own transforms name.

    Args:
        body: of the suite's file, not checked yet.
        folder: of the file; nothing outside of it is read.
        field_errors: gets an error for each file that cannot be used.
    """
    inlined = dict(body)
    if "transform" in inlined:
        inlined["transform"] = _inline(inlined["transform"], folder, "transform", field_errors)
    by_model = inlined.get("model_transforms")
    if isinstance(by_model, dict):
        inlined["model_transforms"] = {
            name: _inline(value, folder, f"model_transforms.{name}", field_errors) for name, value in by_model.items()
        }
    return inlined


def _inline(value: Any, folder: Path, path: str, field_errors: list[FieldError]) -> Any:
    try:
        return inline_transform(value, folder)
    except Invalid as error:
        field_errors += [FieldError(path, nested.message) for nested in error.field_errors]
        return value
