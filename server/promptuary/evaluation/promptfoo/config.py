"""A promptfoo file as one value: recognized by its keys, with its references and its environment resolved."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport
from promptuary.evaluation.promptfoo.template import to_javascript_text
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

SUITE_KEYS = ("name", "prompt", "dataset", "models", "scorers")
PROMPTFOO_KEYS = ("prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "evaluateOptions")
VALUES_LIMIT = 500_000
_ENV = re.compile(r"\{\{\s*env(?:\.(\w+)|\[['\"]([^'\"]+)['\"]\])\s*\}\}")


def is_promptfoo(value: Any) -> bool:
    """Return whether a file's value is promptfoo's and not a suite's."""
    return (
        isinstance(value, dict) and any(key in value for key in PROMPTFOO_KEYS) and not any(key in value for key in SUITE_KEYS)
    )


def is_promptfoo_file(path: Path) -> bool:
    """Return whether a file is promptfoo's; False for an unreadable file, whose error the reader of suites raises."""
    try:
        return is_promptfoo(parse_yaml(read_text(path), str(path), core=True).value)
    except InvalidFile:
        return False


def read_config(path: Path, report: TranslationReport) -> RawObject:
    """Read a promptfoo file, with `$ref` to its own parts resolved.

    Raises:
        InvalidFile: for what is no YAML, no promptfoo file, or a reference that leads nowhere, outside or into itself.
    """
    document = parse_yaml(read_text(path), str(path), core=True)
    value = document.value
    if not isinstance(value, dict) or not any(key in value for key in PROMPTFOO_KEYS):
        field_errors = [FieldError("", f"must be a mapping that has some of {', '.join(PROMPTFOO_KEYS)}", 1)]
        raise InvalidFile(f"{path} is not a promptfoo file", field_errors)
    if "providers" in value and "targets" in value:
        raise InvalidFile(
            f"{path} cannot be used", [document.with_line(FieldError("targets", "is another word for `providers`; give one"))]
        )
    put = _References(value, path)
    config = {key: put.into(part, key, ()) for key, part in value.items()}
    file_env = config.get("env")
    env = {name: to_javascript_text(value) for name, value in file_env.items()} if isinstance(file_env, dict) else {}
    return {key: _with_env(part, env, report, key) for key, part in config.items()}


class _References:
    """Replaces each `{"$ref": "#/…"}` by the part that it names."""

    def __init__(self, whole: RawObject, path: Path) -> None:
        self.whole = whole
        self.path = path
        self.left = VALUES_LIMIT

    def into(self, value: Any, place: str, within: tuple[str, ...]) -> Any:
        self.left -= 1
        if self.left < 0:
            self.refuse(place, f"the references make more than {VALUES_LIMIT} values of the file")
        if isinstance(value, list):
            return [self.into(item, f"{place}.{number}", within) for number, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if not isinstance(reference, str) or _is_schema(place):
            return {key: self.into(item, f"{place}.{key}", within) for key, item in value.items()}
        if not reference.startswith("#/"):
            self.refuse(
                place, f"'{reference}' is in another file; only parts of this one are put in, as #/assertionTemplates/x"
            )
        if reference in within:
            self.refuse(place, f"'{reference}' leads into itself")
        node: Any = self.whole
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in node:
                node = node[part]
            else:
                self.refuse(place, f"there is no '{reference}' in the file")
        resolved = self.into(node, place, (*within, reference))
        rest = {key: self.into(item, f"{place}.{key}", within) for key, item in value.items() if key != "$ref"}
        return {**resolved, **rest} if isinstance(resolved, dict) and rest else resolved

    def refuse(self, place: str, words: str) -> None:
        raise InvalidFile(f"{self.path} cannot be used", [FieldError(place, words)])


def _is_schema(place: str) -> bool:
    """Return whether a place is inside a JSON Schema or tools, whose references are their own."""
    return ".config.tools" in place or ".config.functions" in place or ".config.response_format" in place


def _with_env(value: Any, env: Mapping[str, str], report: TranslationReport, place: str) -> Any:
    if isinstance(value, list):
        return [_with_env(item, env, report, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _with_env(item, env, report, f"{place}.{key}") for key, item in value.items()}
    if not isinstance(value, str) or "env" not in value:
        return value

    def put(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in env:
            return env[name]
        if not place.startswith(("providers", "targets", "env")):  # a provider's settings are reported one by one
            report.refuse("env", name, "only the file's own `env` is put in, not the environment of this process", place)
        return match[0]

    return _ENV.sub(put, value)
