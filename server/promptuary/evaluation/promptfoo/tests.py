"""The tests of a promptfoo file: from wherever they stand, with their defaults, and taken apart by variables that are lists."""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.promptfoo.files import YAML_SUFFIXES, PromptfooFolder, is_code, is_reference
from promptuary.evaluation.promptfoo.javascript.transforms import transformed_variables
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.table_row import parse_row
from promptuary.evaluation.promptfoo.template import whole_floats_to_int

ROWS_LIMIT = 100_000
BINARY_SUFFIXES = (
    *(".bmp", ".gif", ".heic", ".ico", ".jpeg", ".jpg", ".png", ".tiff", ".webp", ".avif", ".svg"),
    *(".mp3", ".mp4", ".wav", ".webm", ".mov", ".ogg", ".flac", ".m4a", ".pdf", ".xlsx", ".xls"),
)
REMOTE_SCHEMES = ("huggingface://", "az://", "https://", "http://", "package:")


@dataclass(frozen=True)
class ExpandedTest:
    """One test with one combination of its variables; `place` is where the test stands in the file."""

    place: str
    vars: RawObject
    asserts: list[Any]
    options: RawObject
    metadata: RawObject
    threshold: Any = None
    description: str | None = None
    prompts: Any = None
    providers: Any = None
    others: RawObject = field(default_factory=dict)

    @property
    def parts(self) -> RawObject:
        """The parts that have no place in a case, by their names in the file."""
        parts: RawObject = {"assert": self.asserts, "options": self.options, "metadata": self.metadata, **self.others}
        return parts | {"description": self.description} if self.description else parts


def read_tests(
    config: RawObject, folder: PromptfooFolder, report: TranslationReport, engine: JavaScriptEngine
) -> list[ExpandedTest]:
    """Read `tests` and `scenarios` with `defaultTest`; a test that cannot be read is reported.

    Args:
        config: the file.
        folder: of the file.
        report: records the outcome of each test.
        engine: runs `transformVars`, the only code that is run while a file is read.
    """
    rows: list[ExpandedTest] = []
    default = _default(config, folder, report)
    for place, test in _tests(config, default, folder, report):
        try:
            test = _with_transformed_vars(test, default, folder, engine)
            rows += _rows(place, test, default, folder, ROWS_LIMIT - len(rows))
        except Unsupported as error:
            report.refuse("test", str(test.get("description") or place)[:60], str(error), place)
    for name, why in folder.remarks.items():
        report.change("file", name, why, "tests")
    return rows


def _default(config: RawObject, folder: PromptfooFolder, report: TranslationReport) -> RawObject:
    raw = config.get("defaultTest")
    try:
        default = folder.inline(raw) if is_reference(raw) else raw or {}
        if not isinstance(default, dict):
            raise Unsupported("must be an object, or a file of one")
        default = _with_vars(default, folder, folder.root)
    except Unsupported as error:
        report.refuse("test", "defaultTest", str(error), "defaultTest")
        default = {}
    if isinstance(config.get("metadata"), dict) and "metadata" not in default:
        default = default | {"metadata": config["metadata"]}
    variables = (config.get("commandLineOptions") or {}).get("var")
    return default | {"vars": {**(default.get("vars") or {}), **variables}} if isinstance(variables, dict) else default


def _tests(
    config: RawObject, default: RawObject, folder: PromptfooFolder, report: TranslationReport
) -> Iterator[tuple[str, RawObject]]:
    raw, scenarios = config.get("tests"), config.get("scenarios")
    listed = list(_listed(raw, "tests", folder, report)) if raw else []
    yield from listed or ([] if raw or scenarios else [("tests", {})])  # promptfoo's one test of a file that names none
    if not scenarios:
        return
    try:
        loaded = folder.inline(scenarios)
    except Unsupported as error:
        report.refuse("test", "scenarios", str(error), "scenarios")
        return
    flat = (
        [scenario for part in loaded for scenario in (part if isinstance(part, list) else [part])]
        if isinstance(loaded, list)
        else [loaded]
    )
    for number, scenario in enumerate(flat):
        place = f"scenarios[{number}]"
        if not isinstance(scenario, dict) or not isinstance(scenario.get("config"), list):
            report.refuse("test", place, "a scenario is an object with a list `config`, and `tests`", place)
            continue
        tests = list(_listed(scenario.get("tests"), f"{place}.tests", folder, report)) if scenario.get("tests") else [("", {})]
        for part, data in enumerate(scenario["config"]):
            for inner, test in tests:
                yield f"{place}.config[{part}]{inner and ' × ' + inner}", _scenario(default, data, test)


def _scenario(default: RawObject, data: Any, test: RawObject) -> RawObject:
    """Merge a scenario's data into a test; the defaults are applied again where a test is prepared."""
    data = data if isinstance(data, dict) else {}
    merged = {key: {**(default.get(key) or {}), **(data.get(key) or {}), **(test.get(key) or {})} for key in _MERGED}
    return {**default, **data, **test, **merged, "assert": [*(data.get("assert") or []), *(test.get("assert") or [])]}


_MERGED = ("vars", "options", "metadata")


def _listed(raw: Any, place: str, folder: PromptfooFolder, report: TranslationReport) -> Iterator[tuple[str, RawObject]]:
    alone = not isinstance(raw, list)
    for number, entry in enumerate([raw] if alone else raw):
        here = place if alone else f"{place}[{number}]"
        try:
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                raise Unsupported("is made by code, which is not run here; write the tests into a file")
            if isinstance(entry, str):
                yield from _of_files(entry, folder, here, as_rows=alone)
            elif isinstance(entry, dict):
                yield here, _with_vars(entry, folder, folder.root)
            else:
                raise Unsupported("is no test: an object, or a file of tests")
        except Unsupported as error:
            report.refuse("test", entry[:60] if isinstance(entry, str) else here, str(error), here)


def _of_files(name: str, folder: PromptfooFolder, place: str, *, as_rows: bool) -> Iterator[tuple[str, RawObject]]:
    if is_code(name):
        raise Unsupported("is made by code, which is not run here; write the tests into a file")
    if name.startswith(REMOTE_SCHEMES):
        raise Unsupported("is on the network, which nothing is read from; download it and name the file")
    name, sheet = _without_sheet(name)
    for path in folder.find(name):
        name_in_folder = path.relative_to(folder.root)
        if path.suffix == ".xlsx":
            tests: Any = [parse_row(cells, number) for number, cells in enumerate(folder.sheet_rows(path, sheet), 1)]
        elif path.suffix == ".csv":
            tests = [parse_row(cells, number) for number, cells in enumerate(folder.rows(path), 1)]
        elif path.suffix == ".jsonl":
            tests = folder.inline(folder.json_lines(path))
        elif path.suffix in (*YAML_SUFFIXES, ".json"):
            tests = folder.inline(folder.value(path))
        else:
            raise Unsupported(f"'{name_in_folder}' is no file of tests: .csv, .xlsx, .jsonl, .json, .yaml")
        if tests == []:
            raise Unsupported(f"'{name_in_folder}' has no test")
        for number, test in enumerate(tests if isinstance(tests, list) else [tests]):
            if not isinstance(test, dict):
                raise Unsupported(f"'{name_in_folder}' has an entry that is no object")
            base = folder.root if as_rows and path.suffix not in YAML_SUFFIXES else path.parent
            yield f"{place} {name_in_folder}[{number}]", _with_vars(test, folder, base)


def _without_sheet(name: str) -> tuple[str, str | None]:
    """Return the name of a file and the sheet after `#`, which the name of a workbook may have."""
    file, _, sheet = name.partition("#")
    return (file, sheet or None) if file.endswith(".xlsx") else (name, None)


def _with_vars(test: RawObject, folder: PromptfooFolder, base: Path) -> RawObject:
    """Read variables that stand in files of their own."""
    raw = test.get("vars")
    if not isinstance(raw, str | list):
        return test
    variables_: RawObject = {}
    for name in [raw] if isinstance(raw, str) else raw:
        if is_reference(name):
            raise Unsupported(f"promptfoo finds no variables by `{name}`; write the path without file://")
        for path in folder.find(str(name), base):
            value = folder.inline(folder.value(path))
            if not isinstance(value, dict):
                raise Unsupported(f"'{path.name}' is no file of variables: an object")
            variables_ |= value
    return {**test, "vars": variables_}


def _with_transformed_vars(test: RawObject, default: RawObject, folder: PromptfooFolder, engine: JavaScriptEngine) -> RawObject:
    """Return a test whose variables are what `transformVars` makes of them, with those of the defaults."""
    transform = {**_object(default, "options"), **_object(test, "options")}.get("transformVars")
    if not transform:
        return test
    variables = whole_floats_to_int({**_object(default, "vars"), **_object(test, "vars")})
    return {**test, "vars": transformed_variables(transform, variables, folder, engine)}


def _rows(place: str, test: RawObject, default: RawObject, folder: PromptfooFolder, left: int) -> Iterator[ExpandedTest]:
    """Return a test with its defaults, once for each combination of the variables that are lists of texts."""
    parts = {key: {**_object(default, key), **_object(test, key)} for key in _MERGED}
    options = parts["options"]
    own = _list(test, "assert")
    asserts = own if options.get("disableDefaultAsserts") is True else [*_list(default, "assert"), *own]
    variables = whole_floats_to_int(parts["vars"])
    choices = [[value] for value in variables.values()]
    if not options.get("disableVarExpansion"):
        choices = [_choices(name, value, folder) for name, value in variables.items()]
    if math.prod(map(len, choices)) > left:
        raise Unsupported(f"makes more than {ROWS_LIMIT} combinations of its variables with the tests before it")
    description = test.get("description")
    others = {key: value for key, value in {**default, **test}.items() if key not in _KNOWN}
    for values in itertools.product(*choices):
        yield ExpandedTest(
            place,
            {name: _loaded(name, value, folder) for name, value in zip(variables, values, strict=True)},
            asserts,
            options,
            parts["metadata"],
            test["threshold"] if test.get("threshold") is not None else default.get("threshold"),
            description if isinstance(description, str) else None,
            test["prompts"] if test.get("prompts") is not None else default.get("prompts"),
            test["providers"] if test.get("providers") is not None else default.get("providers"),
            others,
        )


_KNOWN = frozenset({*_MERGED, "assert", "threshold", "description", "prompts", "providers"})


def _object(test: RawObject, key: str) -> RawObject:
    value = test.get(key) or {}
    if not isinstance(value, dict):
        raise Unsupported(f"`{key}` must be an object")
    return value


def _list(test: RawObject, key: str) -> list[Any]:
    value = test.get(key) or []
    if not isinstance(value, list):
        raise Unsupported(f"`{key}` must be a list")
    return value


def _choices(name: str, value: Any, folder: PromptfooFolder) -> list[Any]:
    """Return the values that a variable takes: a list's items where the first is a text, a pattern's files."""
    if is_reference(value):
        if is_code(value):
            raise Unsupported(f"the variable '{name}' is made by code, which is not run here")
        return [f"file://{path.relative_to(folder.root)}" for path in folder.find(value)]
    if isinstance(value, list) and value and isinstance(value[0], str):
        return value
    return [value]


def _loaded(name: str, value: Any, folder: PromptfooFolder) -> Any:
    """Return a variable's value, or the text of the file that it names."""
    if not is_reference(value):
        return value
    if is_code(value):
        raise Unsupported(f"the variable '{name}' is made by code, which is not run here")
    path = folder.find(value)[0]
    if path.suffix.lower() in BINARY_SUFFIXES:
        raise Unsupported(f"the variable '{name}' is a file of {path.suffix}; only texts are put into prompts")
    if path.suffix in YAML_SUFFIXES:
        return json.dumps(folder.value(path), ensure_ascii=False, separators=(",", ":"))
    return folder.text(path).strip()
