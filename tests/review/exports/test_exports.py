"""Exports as files: every decision once, with the label that counts, and no formula for a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest

from promptuary.review.exports.spreadsheet import plain_cell

Headers = dict[str, str]
FORMULA = '=HYPERLINK("http://elsewhere.test")'


@pytest.fixture
def decided(database: Any, api: Any, queue: str, lead: Headers, decide: Any) -> str:
    """Return the path of a queue whose first item is agreed, the second settled, the third in dispute."""
    decide("ann", "approve", "reject", "reject", comment=FORMULA)
    decide("ben", "approve", "approve", "approve")
    item = api.get(f"{queue}/disagreements", headers=lead).json()["items"][0]["item"]
    body = {"item": item, "decision": "unsure", "reason": "both are right"}
    assert api.post(f"{queue}/adjudications", json=body, headers=lead).status_code == 201
    return queue


def test_json_lines_have_decisions_payloads_and_the_label_that_counts(api: Any, decided: str, lead: Headers) -> None:
    response = api.get(f"{decided}/export?format=jsonl", headers=lead)
    assert response.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert [(row["source"], row["reviewer"], row["decision"]) for row in rows] == [
        ("item-0", "key:ann", "approve"),
        ("item-1", "key:ann", "reject"),
        ("item-2", "key:ann", "reject"),
        ("item-0", "key:ben", "approve"),
        ("item-1", "key:ben", "approve"),
        ("item-2", "key:ben", "approve"),
    ]
    assert [row["final"] for row in rows[:3]] == [
        {"decision": {"value": "approve", "origin": "agreed"}},
        {"decision": {"value": "unsure", "origin": "adjudicated", "reason": "both are right", "settled_by": "key:lea"}},
        {},
    ]
    assert rows[0]["comment"] == FORMULA  # data stay data
    assert rows[0]["payload"]["output"] == "text 0"


def test_csv_has_the_same_rows_and_no_formula(api: Any, decided: str, lead: Headers) -> None:
    response = api.get(f"{decided}/export?format=csv", headers=lead)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="triage.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert list(rows[0])[:6] == ["item", "source", "reviewer", "decision", "comment", "at"]
    assert [row["final.decision"] for row in rows] == ["approve", "unsure", ""] * 2
    assert [row["final.decision.origin"] for row in rows[:3]] == ["agreed", "adjudicated", ""]
    assert [(row["final.decision.reason"], row["final.decision.settled_by"]) for row in rows[:3]] == [
        ("", ""),
        ("both are right", "key:lea"),
        ("", ""),
    ]
    assert "case" in rows[0]
    assert rows[0]["comment"] == "'" + FORMULA
    assert rows[0]["probability"] == "1.0"


def test_parquet_has_the_columns_with_their_types(api: Any, decided: str, lead: Headers) -> None:
    from pyarrow import parquet

    response = api.get(f"{decided}/export?format=parquet", headers=lead)
    table = parquet.read_table(io.BytesIO(response.content))
    assert str(table.schema.field("probability").type) == "double"
    assert str(table.schema.field("id").type) == "int64"
    assert table.column("final.decision").to_pylist() == ["approve", "unsure", None] * 2
    assert table.column("comment").to_pylist()[0] == FORMULA


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_a_queue_without_decisions_is_an_empty_file(sqlite: Any, api: Any, queue: str, lead: Headers, file_format: str) -> None:
    response = api.get(f"{queue}/export?format={file_format}", headers=lead)
    assert response.status_code == 200
    assert len(response.text.splitlines()) == (1 if file_format == "csv" else 0) or file_format == "parquet"


def test_exports_are_refused_with_a_reason(sqlite: Any, api: Any, queue: str, lead: Headers, header_of: Any) -> None:
    assert api.get(f"{queue}/export?format=xml", headers=lead).status_code == 422
    assert api.get(f"{queue}/export?format=csv&cursor=MQ", headers=lead).status_code == 422
    assert api.get("/v1/queues/none/export?format=csv", headers=lead).status_code == 404
    assert api.get(f"{queue}/export?format=csv", headers=header_of("ann")).status_code == 403


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff201"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert plain_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "approve", "a = b", "1-1", "5"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert plain_cell(text) == text
