"""Tables as people export them: separators, encodings, quotes, ids, workbooks and Parquet, in a file or over HTTP."""

import csv
import datetime
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.prompt.files.yaml_document import InvalidFile

TEXT = "id,question,answer\n1,Größe?,klein\n2,x,y\n"
CASES = [Case("1", {"question": "Größe?", "answer": "klein"}, "klein"), Case("2", {"question": "x", "answer": "y"}, "y")]


def write(folder: Path, content: str | bytes, name: str = "cases.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, name: str = "cases.csv") -> list[Case]:
    return list(read_case_file(write(folder, content, name)))


def error_of(path: Path) -> str:
    with pytest.raises(InvalidFile) as raised:
        read_case_file(path)
    return "; ".join(str(error) for error in raised.value.field_errors)


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Return a builder of a workbook from the rows of its first sheet."""

    def build(*rows: list[Any]) -> Path:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        path = tmp_path / "cases.xlsx"
        book.save(path)
        return path

    return build


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"], ids=lambda name: name
)
def test_separators_and_encodings_of_a_table_are_detected(tmp_path: Path, separator: str, encoding: str) -> None:
    assert read(tmp_path, TEXT.replace(",", separator).encode(encoding)) == CASES


def test_a_declared_separator_and_a_tsv_file_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\r\n" + TEXT.replace(",", ";")) == CASES
    assert read(tmp_path, TEXT.replace(",", "\t"), "cases.TSV") == CASES


def test_a_separator_inside_quotes_of_the_header_does_not_count(tmp_path: Path) -> None:
    (case,) = read(tmp_path, '"a;b;c;d",x\n1,2\n')
    assert case.vars == {"a;b;c;d": "1", "x": "2"}


def test_a_cell_that_goes_on_after_its_quote_stays_as_it_is_written(tmp_path: Path) -> None:
    # The values of csv-parse 5 with `relax_quotes`, to which promptfoo falls back.
    text = 'x,y\n"a, ""b""" ,c\n"d\ne","f"\n"g" "h",i\nj"k,\n'
    assert [case.vars for case in read(tmp_path, text)] == [
        {"x": '"a, "b"" ', "y": "c"},
        {"x": "d\ne", "y": "f"},
        {"x": '"g" "h"', "y": "i"},
        {"x": 'j"k', "y": ""},
    ]
    assert error_of(write(tmp_path, 'x\n"a" b\nc,d\n')) == "line 3: has 2 cells where the header has 1"


def test_a_cell_may_be_longer_than_pythons_default_limit(tmp_path: Path) -> None:
    long = "ä" * 200_000
    (case,) = read(tmp_path, f"x\n{long}\n")
    assert case.vars == {"x": long}
    assert csv.field_size_limit() > 64 * 1024 * 1024


def test_rows_without_ids_are_numbered_and_single_ones_named_by_content(tmp_path: Path) -> None:
    assert [case.id for case in read(tmp_path, "x\na\n\nb\n")] == ["1", "2"]
    named, unnamed, same = read(tmp_path, "id,x\n7,a\n,b\n,b\n")
    assert named.id == "7"
    assert len(unnamed.id) == 10
    assert same.id == f"{unnamed.id} 2"
    (moved,) = read(tmp_path, '{"vars": {"x": "b"}}', "cases.jsonl")
    assert moved.id == unnamed.id


def test_integer_ids_of_json_become_their_digits(tmp_path: Path) -> None:
    assert [case.id for case in read(tmp_path, '{"id": 1, "vars": {}}\n{"id": 2.0, "vars": {}}', "c.jsonl")] == ["1", "2"]


def test_an_answer_beside_a_question_is_the_expected_output(tmp_path: Path) -> None:
    assert [case.expected for case in read(tmp_path, "question,answer\nq,a\n")] == ["a"]
    assert [case.expected for case in read(tmp_path, "question,answer,expected\nq,a,e\n")] == ["e"]
    assert [case.expected for case in read(tmp_path, "ticket,answer\nq,a\n")] == [None]


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1, "question": "q", "answer": ["a"]}]',
        '{"cases": [{"id": "1", "vars": {"question": "q", "answer": ["a"]}, "expected": ["a"]}]}',
    ],
)
def test_an_array_has_cases_or_rows(tmp_path: Path, text: str) -> None:
    expected = [Case("1", {"question": "q", "answer": ["a"]}, ["a"])]
    assert read(tmp_path, text, "cases.json") == expected
    assert read(tmp_path, text.encode("utf-16"), "cases.json") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not JSON"),
        ("3", "must be an array"),
        ("[]", "has no case"),
        ("[1]", "must be an object"),
        ('[{"id": "a", "vars": {}}, {"id": "a", "vars": {}}]', "case 2: id: 'a' is the id of case 1 too"),
        ('[{"id": "a", "vars": {"x": NaN}}]', "NaN"),
    ],
)
def test_what_is_wrong_in_an_array_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in error_of(write(tmp_path, text, "cases.json"))


def test_a_workbook_keeps_types_and_writes_dates_as_iso(workbook: Callable[..., Path]) -> None:
    day, moment = datetime.date(2026, 5, 1), datetime.datetime.fromisoformat("2026-05-01T12:30:00")
    path = workbook(["id", "n", "day", "at", "flag", "expected"], [1, 2.5, day, moment, True, "y"], [], [2, 3.0, None, "t"])
    assert list(read_case_file(path)) == [
        Case("1", {"n": 2.5, "day": "2026-05-01", "at": "2026-05-01T12:30:00", "flag": True}, "y"),
        Case("2", {"n": 3, "day": "", "at": "t", "flag": ""}),
    ]


def test_a_formula_without_a_value_and_an_error_value_are_named(workbook: Callable[..., Path]) -> None:
    message = error_of(workbook(["id", "x"], ["a", "=1+1"], ["b", "#DIV/0!"], ["c", "1", "2"]))
    assert "line 2: 'x' is a formula without a stored value" in message
    assert "line 3: 'x' is the error #DIV/0!" in message
    assert "line 4: has a cell beyond the 2 columns" in message


def archive(folder: Path, **files: bytes) -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, body in files.items():
            writer.writestr(f"xl/{name}.xml", body)
    return write(folder, content.getvalue(), "cases.xlsx")


def test_a_workbook_that_unpacks_into_too_much_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, sheet=b" " * 300 * 1024 * 1024)
    assert path.stat().st_size < 1024 * 1024
    assert "when it is unpacked" in error_of(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_workbook_with_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    path = archive(tmp_path, sheet='<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>'.encode(encoding))
    assert "document type" in error_of(path)


@pytest.mark.parametrize("name", ["cases.xlsx", "cases.parquet"])
@pytest.mark.parametrize("content", [b"", b"id,x\n1,2\n", b"PK\x03\x04broken", b"PAR1brokenPAR1"])
def test_a_file_of_another_kind_under_a_table_suffix_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    assert error_of(write(tmp_path, content, name))


def test_a_parquet_file_keeps_nested_values_and_leaves_nulls_out(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    rows = [
        {"id": 1, "chat": [{"role": "user", "n": 1}], "day": datetime.date(2026, 5, 1), "expected": "y"},
        {"id": 2, "chat": None, "day": None, "expected": None},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    assert list(read_case_file(path)) == [
        Case("1", {"chat": [{"role": "user", "n": 1}], "day": "2026-05-01"}, "y"),
        Case("2", {}),
    ]


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "finite"), (b"\x00", "bytes"), (2**60, "2^53")])
def test_a_parquet_value_without_a_json_form_is_named(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "cases.parquet"
    parquet.write_table(pa.table({"x": [value]}), path)
    error = error_of(path)
    assert "line 1" in error
    assert message in error


@pytest.mark.parametrize(("name", "library"), [("cases.xlsx", "openpyxl"), ("cases.parquet", "pyarrow")])
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert f"needs {library}; install promptuary[tables]" in error_of(write(tmp_path, b"x", name))


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def test_tables_are_uploaded_as_they_are(local: Any, workbook: Callable[..., Path]) -> None:
    path = "/v1/datasets/words/versions"
    tab = local.post(path, content=TEXT.replace(",", "\t"), headers={"Content-Type": "text/tab-separated-values"})
    assert (tab.status_code, tab.json()["cases"]) == (201, 2)
    comma = local.post(path, content=TEXT.encode("utf-16"), headers={"Content-Type": "text/csv; charset=utf-16"})
    assert (comma.status_code, comma.json()["digest"]) == (200, tab.json()["digest"])
    rows = workbook(["id", "question", "answer"], [1, "Größe?", "klein"], [2, "x", "y"]).read_bytes()
    sheet = local.post(path, content=rows, headers={"Content-Type": XLSX})
    assert (sheet.status_code, sheet.json()["digest"]) == (200, tab.json()["digest"])
    refused = local.post(path, content="id,x\na,1,2\n", headers={"Content-Type": "text/csv"})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "line 2")


def test_json_bodies_take_integer_ids_and_cases_without_one(local: Any) -> None:
    local.post("/v1/datasets/words/versions", json={"cases": [{"id": 1, "vars": {}}, {"vars": {"x": 1}}]})
    first, second = local.get("/v1/datasets/words").json()["items"]
    assert first["id"] == "1"
    assert len(second["id"]) == 10


def test_every_format_reads_the_weight_of_a_case(tmp_path: Path, workbook: Callable[..., Path]) -> None:
    parquet.write_table(pa.table({"id": ["a", "b"], "ticket": ["x", "y"], "weight": [20.5, None]}), tmp_path / "cases.parquet")
    files = [
        write(tmp_path, "id,ticket,weight\na,x,20.5\nb,y,\n"),
        write(tmp_path, "id\tticket\tweight\na\tx\t 20.5\nb\ty\t\n", "cases.tsv"),
        write(tmp_path, '[{"id": "a", "ticket": "x", "weight": 20.5}, {"id": "b", "ticket": "y"}]', "cases.json"),
        write(tmp_path, '{"id": "a", "vars": {"ticket": "x"}, "weight": 20.5}\n{"id": "b", "ticket": "y"}\n', "cases.jsonl"),
        workbook(["id", "ticket", "weight"], ["a", "x", 20.5], ["b", "y", None]),
        tmp_path / "cases.parquet",
    ]
    for path in files:
        assert list(read_case_file(path)) == [Case("a", {"ticket": "x"}, weight=20.5), Case("b", {"ticket": "y"})], path.name


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "heavy", '"1,5"', "1e13"])
def test_a_weight_that_is_none_is_an_error_of_its_line(tmp_path: Path, weight: str) -> None:
    path = write(tmp_path, f"id,ticket,weight\na,x,1\nb,y,{weight}\n")
    with pytest.raises(InvalidFile) as raised:
        read_case_file(path)
    (error,) = raised.value.field_errors
    assert (error.path, error.line) == ("weight", 3)
