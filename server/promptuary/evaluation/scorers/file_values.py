"""`file://` in a suite's file: what the file has is carried into the suite, so that its digest and every worker see it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptuary.evaluation.scorers.code.python_code import DEFAULT_FUNCTION
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

SCHEME = "file://"
FILE_LIMIT = 256 * 1024
_PARSED = (".json", ".yaml", ".yml")


def inline_files(spec: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Give a scorer as a file says it, with the content of files that its `value` or `config.prompt` names, also inside sets.

    `.json` and `.yaml` become what they say, Python becomes its code and the name of a function (`file://check.py:function`),
    all else becomes text without white space around it.

    Args:
        spec: a scorer, not checked yet.
        folder: of the suite's file; what is outside of it is not read.

    Raises:
        Invalid: with a fault at `value` for a file that is not there, is outside, too large, or cannot be read.
    """
    found = dict(spec)
    value = found.get("value")
    if isinstance(value, list):
        found["value"] = [_value(item, folder, python=False) for item in value]
    elif value is not None:
        found["value"] = _value(value, folder, python=str(found.get("type")).removeprefix("not-") == "python")
    config = found.get("config")
    if isinstance(config, Mapping) and "prompt" in config:
        found["config"] = {**config, "prompt": _value(config["prompt"], folder, python=False)}
    nested = found.get("assert")
    if isinstance(nested, list):
        found["assert"] = [inline_files(one, folder) if isinstance(one, Mapping) else one for one in nested]
    return found


def _value(value: Any, folder: Path, *, python: bool) -> Any:
    if not isinstance(value, str) or not value.startswith(SCHEME):
        return value
    name, _, function = value.removeprefix(SCHEME).partition(":")
    path = _inside(name, folder)
    try:
        text = read_text(path, FILE_LIMIT)
        if path.suffix == ".py":
            if not python:
                raise _fault(f"'{name}' is code, which only a python scorer runs")
            return {"file": name, "function": function or DEFAULT_FUNCTION, "code": text}
        return parse_yaml(text, name).value if path.suffix in _PARSED else text.strip()
    except InvalidFile as error:
        raise _fault(f"'{name}' cannot be read: {error}") from None


def _inside(name: str, folder: Path) -> Path:
    """Resolve a name under the folder; links that lead out of it count as outside."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError):
        raise _fault(f"'{name}' is no path") from None
    if not path.is_relative_to(root) or not path.is_file():
        outside = not path.is_relative_to(root)
        raise _fault(f"'{name}' is outside of the suite's folder" if outside else f"'{name}' is not there, or is no file")
    return path


def _fault(words: str) -> Invalid:
    return Invalid("a file that a scorer names cannot be used", [FieldError("value", words)])
