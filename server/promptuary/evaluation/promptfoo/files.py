"""The files that a promptfoo file names: only those in its folder and below, each within a size, none of them run."""

import csv
import glob
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptuary.evaluation.datasets.readers.csv_table import detect_format, numbered_cells
from promptuary.evaluation.datasets.readers.encoding import REMEDY
from promptuary.evaluation.datasets.readers.row import FileErrors
from promptuary.evaluation.datasets.readers.workbook import workbook_rows
from promptuary.evaluation.promptfoo.report import Unsupported
from promptuary.evaluation.promptfoo.template import to_javascript_text
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

FILES_LIMIT = 1000
FILE_LIMIT = 64 * 1024 * 1024
SCHEME = "file://"
CODE_SUFFIXES = (
    ".js",
    ".cjs",
    ".mjs",
    ".ts",
    ".cts",
    ".mts",
    ".py",
    ".rb",
    ".sh",
    ".bash",
    ".exe",
    ".bat",
    ".cmd",
    ".ps1",
    ".pl",
)
YAML_SUFFIXES = (".yaml", ".yml")
_MAGIC = re.compile(r"[*?\[{]")


def is_code(name: str) -> bool:
    """Return whether a name is that of a file of code, with or without `:function` behind it."""
    head, _, _ = name.rpartition(":")
    return name.endswith(CODE_SUFFIXES) or head.endswith(CODE_SUFFIXES)


def is_reference(value: Any) -> bool:
    """Return whether a value is a text that names a file."""
    return isinstance(value, str) and value.startswith(SCHEME)


class PromptfooFolder:
    """The folder of one promptfoo file, with all below it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.remarks: dict[str, str] = {}
        """What is read differently than promptfoo would, by the file's name."""
        self._read = 0

    def resolve(self, reference: str, base: Path | None = None) -> Path:
        """Return the path that a reference names, relative to a folder.

        Raises:
            Unsupported: for one outside the folder.
        """
        name = reference.removeprefix(SCHEME)
        path = ((base or self.root) / name).resolve()
        if not path.is_relative_to(self.root):
            raise Unsupported(f"'{name}' is outside the folder of the promptfoo file; only files in it and below are read")
        return path

    def find(self, reference: str, base: Path | None = None) -> list[Path]:
        """Return the files that a reference names: one, or those of a pattern in the order of their names.

        Raises:
            Unsupported: when there is none, or for one outside the folder.
        """
        name = reference.removeprefix(SCHEME)
        if (base or self.root).joinpath(name).is_file() or not _MAGIC.search(name):
            path = self.resolve(name, base)
            if not path.is_file():
                raise Unsupported(f"the file '{name}' does not exist")
            return [path]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unsupported(f"'{name}' leads outside the folder of the promptfoo file; only files in it and below are read")
        names = {
            matches
            for pattern in itertools.islice(_braces(name), FILES_LIMIT)
            for matches in glob.iglob(pattern, root_dir=base or self.root, recursive=True)
        }
        paths = [self.resolve(path, base) for path in sorted(names)]
        paths = [path for path in paths if path.is_file()]
        if not paths:
            raise Unsupported(f"no file is named '{name}'")
        return paths

    def _count(self) -> None:
        self._read += 1
        if self._read > FILES_LIMIT:
            raise Unsupported(f"the promptfoo file names more than {FILES_LIMIT} files")

    def text(self, path: Path) -> str:
        """Read a text.

        Raises:
            Unsupported: for one that is too large, or no UTF-8; or too many files.
        """
        self._count()
        try:
            return read_text(path, FILE_LIMIT)
        except InvalidFile as error:
            raise Unsupported(str(error)) from None

    def value(self, path: Path) -> Any:
        """Read YAML or JSON.

        Raises:
            Unsupported: as `text`, and for what is not well-formed.
        """
        text = self.text(path)
        try:
            return parse_yaml(text, path.name, core=True).value
        except InvalidFile as error:
            raise Unsupported(str(error)) from None

    def json_lines(self, path: Path) -> list[Any]:
        """Read one JSON value a line.

        Raises:
            Unsupported: as `value`.
        """
        values = []
        for number, line in enumerate(self.text(path).split("\n"), 1):
            if line.strip():
                try:
                    values.append(json.loads(line))
                except (ValueError, RecursionError):
                    raise Unsupported(f"line {number} of {path.name} is not JSON") from None
        return values

    def rows(self, path: Path) -> list[dict[str, str]]:
        """Read a table whose first line names the columns, as promptfoo does; what it would not read is remarked.

        Raises:
            Unsupported: as `value`.
        """
        self._count()
        try:
            if path.stat().st_size > FILE_LIMIT:
                raise Unsupported(f"{path.name} is over the limit of {FILE_LIMIT} bytes")
            with path.open("rb") as file:
                form = detect_format(file, comma_first=True)
                lines = numbered_cells(file, form)
                _, header = next(lines, (1, list[str]()))
                rows = []
                for line, cells in lines:
                    if len(cells) != len(header):
                        message = f"line {line} of {path.name} has {len(cells)} cells where the header has {len(header)}"
                        raise Unsupported(message)
                    rows.append(dict(zip(header, cells, strict=True)))
        except csv.Error as error:
            raise Unsupported(f"{path.name} cannot be read as CSV: {error}") from None
        except UnicodeDecodeError:
            raise Unsupported(f"{path.name} is no text in UTF-8 or UTF-16; {REMEDY}") from None
        except OSError as error:
            raise Unsupported(f"{path.name} cannot be read: {error.strerror}") from None
        if form.declared or form.delimiter != "," or form.encoding != "utf-8":
            self.remarks[path.name] = "is read with its own separator and encoding; promptfoo reads commas in UTF-8 only"
        return rows

    def sheet_rows(self, path: Path, sheet: str | None) -> list[dict[str, str]]:
        """Read a sheet of a workbook, each cell as a text.

        Raises:
            Unsupported: for what cannot be read.
        """
        self._count()
        errors = FileErrors()
        try:
            if path.stat().st_size > FILE_LIMIT:
                raise Unsupported(f"{path.name} is over the limit of {FILE_LIMIT} bytes")
            with path.open("rb") as file:
                rows = [row.values for row in workbook_rows(file, errors, sheet)]
        except OSError as error:
            raise Unsupported(f"{path.name} cannot be read: {error.strerror}") from None
        if errors:
            raise Unsupported(f"{path.name} cannot be used: {'; '.join(map(str, errors.listed()[:3]))}")
        return [{name: to_javascript_text(value) for name, value in row.items()} for row in rows]

    def inline(self, value: Any, base: Path | None = None, key: str = "") -> Any:
        """Replace references to files by their content; variables and code keep their references.

        Raises:
            Unsupported: for a file that cannot be read.
        """
        if isinstance(value, list):
            return [self.inline(item, base, key) for item in value]
        if isinstance(value, dict):
            return {name: self.inline(item, base, key if key == "vars" else name) for name, item in value.items()}
        if not is_reference(value) or key == "vars" or is_code(value):
            return value
        matches = self.find(value, base)
        if len(matches) > 1 or _MAGIC.search(value):
            loaded = [self.load(path) for path in matches]
            return [item for value in loaded for item in (value if isinstance(value, list) else [value])]
        return self.load(matches[0])

    def load(self, path: Path) -> Any:
        """Parse a file by its suffix: YAML, JSON, a table, or text."""
        if path.suffix in (*YAML_SUFFIXES, ".json"):
            return self.value(path)
        return self.rows(path) if path.suffix == ".csv" else self.text(path)


def _braces(pattern: str) -> Iterator[str]:
    """Yield the patterns that `{a,b}` in a pattern stands for."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        yield pattern
        return
    for part in match[1].split(",")[:100]:
        yield from _braces(pattern[: match.start()] + part + pattern[match.end() :])
