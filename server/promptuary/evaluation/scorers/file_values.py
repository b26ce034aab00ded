"""`file://` in a suite's file: the file's content is copied into the suite, so that its digest and every worker see it."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from promptuary.evaluation.javascript.source import MODULE_SUFFIXES, TYPESCRIPT_SUFFIXES
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.code.code_source import DEFAULT_FUNCTION
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

SCHEME = "file://"
FILE_LIMIT = 256 * 1024
_STRUCTURED = (".json", ".yaml", ".yml")
_LANGUAGES = {".py": "python"} | dict.fromkeys((*MODULE_SUFFIXES, *TYPESCRIPT_SUFFIXES), "javascript")


def inline_files(spec: JsonObject, folder: Path) -> JsonObject:
    """Return a scorer with the content of the files that its `value` or `config.prompt` names, also inside sets.

    `.json` and `.yaml` become their values. Python and JavaScript become their code and the name of a function, as in
    `file://check.py:function`. Everything else becomes text without white space around it.

    Args:
        spec: a scorer as a suite's file has it, not checked yet.
        folder: of the suite's file; nothing outside of it is read.

    Raises:
        Invalid: with an error at `value` for a file that does not exist, is outside, too large, or cannot be read.
    """
    inlined = dict(spec)
    value = inlined.get("value")
    if isinstance(value, list):
        inlined["value"] = [_inline(item, folder) for item in value]
    elif value is not None:
        inlined["value"] = _inline(value, folder, str(inlined.get("type")).removeprefix("not-"))
    config = inlined.get("config")
    if isinstance(config, Mapping) and "prompt" in config:
        inlined["config"] = {**config, "prompt": _inline(config["prompt"], folder)}
    for name in ("transform", "context_transform"):
        if name in inlined:
            inlined[name] = inline_transform(inlined[name], folder, name)
    nested = inlined.get("assert")
    if isinstance(nested, list):
        inlined["assert"] = [inline_files(inner, folder) if isinstance(inner, Mapping) else inner for inner in nested]
    return inlined


def inline_transform(value: Any, folder: Path, field: str = "transform") -> Any:
    """Return a transform with the code of the files that its steps name, as `file://tidy.js:function`.

    Raises:
        Invalid: as `inline_files`, with an error at the field.
    """
    if isinstance(value, list):
        return [inline_transform(step, folder, field) for step in value]
    try:
        if isinstance(value, str) and value.startswith(SCHEME):
            language = "python" if ".py" in PurePosixPath(value.removeprefix(SCHEME).partition(":")[0]).suffix else "javascript"
            return {language: _inline(value, folder, language, default="")}
        if isinstance(value, dict):
            return {key: _inline(part, folder, key, default="") for key, part in value.items()}
    except Invalid as error:
        raise Invalid(error.message, [FieldError(field, nested.message) for nested in error.field_errors]) from None
    return value


def _inline(value: Any, folder: Path, language: str = "", default: str | None = None) -> Any:
    """Return a value, or the content of the file that it names; a file of code only for a scorer of its language."""
    if not isinstance(value, str) or not value.startswith(SCHEME):
        return value
    name, _, function = value.removeprefix(SCHEME).partition(":")
    path = _resolve(name, folder)
    try:
        text = read_text(path, FILE_LIMIT)
        if path.suffix in _LANGUAGES:
            if language != _LANGUAGES[path.suffix]:
                raise _value_error(f"'{name}' is code, which only a {_LANGUAGES[path.suffix]} scorer runs")
            if default is None:
                default = DEFAULT_FUNCTION if language == "python" else ""
            return {"file": name, "function": function or default, "code": text}
        return parse_yaml(text, name).value if path.suffix in _STRUCTURED else text.strip()
    except InvalidFile as error:
        raise _value_error(f"'{name}' cannot be read: {error}") from None


def resolve_file(name: str, folder: Path) -> Path:
    """Return the path of a file under a suite's folder; links that lead out of it count as outside.

    Raises:
        InvalidFile: for a file that is outside the folder, or not there.
    """
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        raise InvalidFile(f"'{name}' is no path") from None
    if not path.is_relative_to(root):
        raise InvalidFile(f"'{name}' is outside of the suite's folder")
    if not is_file:
        raise InvalidFile(f"'{name}' is not there, or is no file")
    return path


def _resolve(name: str, folder: Path) -> Path:
    try:
        return resolve_file(name, folder)
    except InvalidFile as error:
        raise _value_error(error.message) from None


def _value_error(message: str) -> Invalid:
    return Invalid("a file that a scorer names cannot be used", [FieldError("value", message)])
