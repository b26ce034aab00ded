"""Tables of tests in promptfoo files: read as promptfoo does, and what it would not read with a remark."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.translation import Translation, UnsupportedParts, translate
from promptuary.prompt.files.yaml_document import InvalidFile

CONFIG = "description: tables\nprompts: ['{{x}}']\nproviders: [echo]\ntests: "


def translated(folder: Path, tests: str, files: dict[str, bytes], **options: Any) -> Translation:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / "promptfooconfig.yaml"
    path.write_text(CONFIG + tests, encoding="utf-8")
    return translate(path, **options)


def table(folder: Path, content: bytes) -> Translation:
    return translated(folder, "cases.csv", {"cases.csv": content})


def remarks(translation: Translation) -> list[str]:
    return [entry.why for entry in translation.report.of(PartOutcome.CHANGED) if entry.kind == "file"]


def test_relaxed_quotes_and_long_cells_are_read_without_a_remark(tmp_path: Path) -> None:
    long = b"y" * 200_000
    translation = table(tmp_path, b'x,__expected\n"a" ,b\n' + long + b",contains:y\n")
    assert [case.vars["x"] for case in translation.cases] == ['"a" ', long.decode()]
    assert remarks(translation) == []


@pytest.mark.parametrize("content", [b"x;__expected\na;b\n", b"x\t__expected\na\tb\n", "x,__expected\na,b\n".encode("utf-16")])
def test_other_separators_and_encodings_are_read_with_a_remark(tmp_path: Path, content: bytes) -> None:
    translation = table(tmp_path, content)
    assert [(case.vars, case.asserts[0]["value"]) for case in translation.cases] == [({"x": "a"}, "b")]
    assert remarks(translation) == ["is read with its own separator and encoding; promptfoo reads commas in UTF-8 only"]


def test_a_comma_in_the_header_decides_as_in_promptfoo(tmp_path: Path) -> None:
    translation = table(tmp_path, b"x;y;z,__expected\na;b;c,d\n")
    assert translation.cases[0].vars == {"x;y;z": "a;b;c"}
    assert remarks(translation) == []


def test_a_sheet_of_a_workbook_has_tests_of_texts(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("second")
    for row in (["x", "__expected"], [3, "3"], [True, "true"]):
        book["second"].append(row)
    book.save(tmp_path / "cases.xlsx")
    translation = translated(tmp_path, "file://cases.xlsx#second", {})
    assert [case.vars for case in translation.cases] == [{"x": "3"}, {"x": "true"}]
    with pytest.raises(UnsupportedParts, match=r"no sheet 'third'"):
        translated(tmp_path, "file://cases.xlsx#third", {})


@pytest.mark.parametrize(
    "tests", ["cases.csv", "empty.csv", "[file://generate.ts]", "[https://example.com/t.csv]", "broken.csv"]
)
def test_no_empty_test_takes_the_place_of_tests_that_cannot_be_read(tmp_path: Path, tests: str) -> None:
    files = {"cases.csv": b"", "empty.csv": b"x,__expected\n", "generate.ts": b"", "broken.csv": b'x\n"a'}
    with pytest.raises(UnsupportedParts):
        translated(tmp_path, tests, files)
    with pytest.raises(InvalidFile, match="leaves nothing to run"):
        translated(tmp_path, tests, files, partial=True)


def test_default_assertions_do_not_make_a_test_of_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="there is no test"):
        translated(
            tmp_path,
            "[file://generate.ts]\ndefaultTest: {assert: [{type: contains, value: ''}]}",
            {"generate.ts": b""},
            partial=True,
        )
