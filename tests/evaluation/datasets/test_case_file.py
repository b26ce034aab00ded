from pathlib import Path

import pytest

from paths import ROOT
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.evaluation.datasets.readers.row import ERRORS_LIMIT
from promptuary.prompt.files.yaml_document import InvalidFile


def file(folder: Path, text: str | bytes, name: str = "cases.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def field_errors(path: Path) -> list[str]:
    with pytest.raises(InvalidFile) as raised:
        read_case_file(path)
    assert str(path) in raised.value.message
    return [str(error) for error in raised.value.field_errors]


def test_a_jsonl_file_has_its_cases_in_order(tmp_path: Path) -> None:
    first = '{"id": "b", "vars": {"x": 1}, "expected": ["y"], "cluster": "k", "tags": ["t"], "metadata": {"m": 1}}'
    text = first + '\n\n{"id": "a", "vars": {}}'
    assert list(read_case_file(file(tmp_path, text))) == [
        Case("b", {"x": 1}, ["y"], "k", ("t",), {"m": 1}),
        Case("a", {}),
    ]


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    (case,) = read_case_file(file(tmp_path, '{"id": "a", "vars": {"x": "one\u2028two\x85three"}}\r\n'))
    assert case.vars == {"x": "one\u2028two\x85three"}


def test_csv_columns_without_a_reserved_name_become_variables(tmp_path: Path) -> None:
    text = (
        'id,ticket,expected,cluster,tags,intents\r\na,"late, very\nlate",card_arrival,h-1,chat; short,"x,y"\r\n\r\nb,,,,,\r\n'
    )
    assert list(read_case_file(file(tmp_path, text, "cases.csv"))) == [
        Case("a", {"ticket": "late, very\nlate", "intents": "x,y"}, "card_arrival", "h-1", ("chat", "short")),
        Case("b", {"ticket": "", "intents": ""}),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert list(read_case_file(file(tmp_path, b"\xef\xbb\xbfid,x\na,1\n", "cases.csv"))) == [Case("a", {"x": "1"})]
    assert list(read_case_file(file(tmp_path, b'\xef\xbb\xbf{"id": "a", "vars": {}}'))) == [Case("a", {})]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["has no case"]),
        ("\n \n", ["has no case"]),
        ("{", ["line 1", "is not JSON"]),
        ('{"id": "a", "id": "b", "vars": {}}', ["line 1", "twice"]),
        ('{"id": "a", "vars": {"x": NaN}}', ["line 1", "NaN"]),
        ('{"id": "a", "vars": {"x": 1e999}}', ["line 1: vars.x", "number beyond"]),
        ('{"id": "a", "vars": {"x": 9007199254740993}}', ["line 1: vars.x", "2^53"]),
        ('{"id": "a", "vars": {"x": ' + "9" * 5000 + "}}", ["line 1", "too many digits"]),
        ('{"id": "a", "vars": {"x": "\\u0000"}}', ["line 1: vars.x", "NUL"]),
        ('{"id": "a", "vars": {"x": ' + "[" * 5000 + "]" * 5000 + "}}", ["line 1", "nested"]),
        ("[]", ["line 1", "must be an object"]),
        ('{"id": "a", "vars": {}}\n{"id": "a", "vars": {}}', ["line 2: id", "'a' is the id of line 1 too"]),
        ('{"id": "a", "vars": {}}\n{"id": "b"}', ["line 2: vars", "is required"]),
        ('{"id": true, "vars": {}}', ["line 1: id", "string"]),
        ('{"id": 1.5, "vars": {}}', ["line 1: id", "string"]),
        ('{"id": 1, "vars": {}}\n{"id": "1", "vars": {}}', ["line 2: id", "'1' is the id of line 1 too"]),
        ('{"id": "a", "vars": {}, "extra": 1}', ["line 1: extra", "not a known field"]),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    message = "; ".join(field_errors(file(tmp_path, text)))
    for text_part in expected:
        assert text_part in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["no header"]),
        ("id,x\n", ["has no case"]),
        ("id,x,x\na,1,2\n", ["line 1", "'x' twice"]),
        ("id,,x\na,1,2\n", ["line 1", "without a name"]),
        ("id,x\na,1,2\n", ["line 2", "has 3 cells where the header has 2"]),
        ('id,x\na,"1\n2"\nb\n', ["line 4", "has 1 cells"]),
        ('id,x\na,"1', ["line 2", "cannot be read as CSV"]),
        ("id,x\na,1\na,2\n", ["line 3: id", "line 2 too"]),
        ("id,x\na,1\x00\n", ["line 2", "NUL"]),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    message = "; ".join(field_errors(file(tmp_path, text, "cases.csv")))
    for text_part in expected:
        assert text_part in message


def test_all_errors_are_reported_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    errors = field_errors(file(tmp_path, '{"id": 1, "vars": 2}\n{}\n{"id": "a", "vars": {}}\n{"id": "a", "vars": {}}\n{'))
    assert [error.partition(":")[0] for error in errors] == ["line 1", "line 2", "line 4", "line 5"]


def test_a_file_reports_a_limited_number_of_errors(tmp_path: Path) -> None:
    errors = field_errors(file(tmp_path, "{}\n" * 200))
    assert len(errors) == ERRORS_LIMIT + 1
    assert errors[-1] == "and 100 more errors"


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    known = "must end in .jsonl, .ndjson, .json, .csv, .tsv, .xlsx or .parquet"
    assert field_errors(file(tmp_path, "x", "cases.pkl")) == [known]


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    assert field_errors(tmp_path / "gone.jsonl") == []
    assert field_errors(file(tmp_path, b'{"id": "\xff"}')) == ["line 1: the line is not UTF-8: byte 8"]
    assert field_errors(file(tmp_path, b"id,x\na,\xff", "cases.csv")) == [
        "is no text in UTF-8 or UTF-16; save it as UTF-8, as 'CSV UTF-8' in Excel"
    ]


@pytest.mark.parametrize("name", ["tickets", "questions", "smoke"])
def test_the_datasets_of_this_project_can_be_read(name: str) -> None:
    root = ROOT
    assert read_case_file(root / "evals" / "datasets" / f"{name}.jsonl")
