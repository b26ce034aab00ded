"""Rows of promptfoo's tables: the grammar of expectations, and the columns with a meaning."""

from typing import Any

import pytest

from promptuary.evaluation.promptfoo.report import Unsupported
from promptuary.evaluation.promptfoo.table_row import parse_assertion
from promptuary.evaluation.promptfoo.table_row import parse_row as read_row


@pytest.mark.parametrize(
    ("text", "assertion"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("12: 30", {"type": "equals", "value": "12: 30"}),
        ("contains: Paris ", {"type": "contains", "value": "Paris"}),
        ("not-contains:Paris", {"type": "not-contains", "value": "Paris"}),
        ("contains", {"type": "contains", "value": None}),
        ('contains-any: a, "b, c"', {"type": "contains-any", "value": ["a", "b, c"]}),
        ("icontains-all:a,b", {"type": "icontains-all", "value": ["a", "b"]}),
        ("is-json", {"type": "is-json", "value": None}),
        ("similar:like this", {"type": "similar", "value": "like this", "threshold": 0.8}),
        ("similar(0.5):like this", {"type": "similar", "value": "like this", "threshold": 0.5}),
        ("not-rouge-n(0):x", {"type": "not-rouge-n", "value": "x", "threshold": 0}),
        ("latency(500)", {"type": "latency", "value": None, "threshold": 500}),
        ("starts-with:x", {"type": "starts-with", "value": "x", "threshold": 0.75}),
        ("contains(0.5):x", {"type": "contains", "value": "x"}),
        ("grade:is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("llm-rubric:is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("fn:output > 1", {"type": "javascript", "value": "output > 1"}),
        ("eval:output", {"type": "javascript", "value": "output"}),
        ("file://check.js", {"type": "javascript", "value": "file://check.js"}),
        ("python: len(output)", {"type": "python", "value": "len(output)"}),
        ("file://check.py:f", {"type": "python", "value": "check.py:f"}),
        ("regex:^a\nb", {"type": "regex", "value": "^a\nb"}),
    ],
)
def test_what_is_expected_is_read_as_promptfoo_reads_it(text: str, assertion: dict[str, Any]) -> None:
    assert parse_assertion(text) == assertion


def test_columns_with_two_underscores_are_settings_or_metadata() -> None:
    cells = {
        "question": "Where?",
        " __expected ": "contains:here",
        "__expected2": "  ",
        "__expected3": "not-contains:there",
        "__prefix": "Say: ",
        "__suffix": "!",
        "__description": "a place",
        "__metric": "places",
        "__threshold": "0.5",
        "__metadata:tags[]": "a, b\\,c",
        "__metadata:from": "table",
        "__metadata:none": "",
        "__metadata": "no key",
        "__config:__expected2:threshold": "0.25",
        "_expected": "one underscore",
    }
    assert read_row(cells, 1) == {
        "vars": {"question": "Where?", "_expected": "one underscore"},
        "assert": [
            {"type": "contains", "value": "here", "metric": "places"},
            {"type": "not-contains", "value": "there", "metric": "places", "threshold": 0.25},
        ],
        "options": {"prefix": "Say: ", "suffix": "!"},
        "description": "a place",
        "threshold": 0.5,
        "metadata": {"tags": ["a", "b,c"], "from": "table"},
    }


def test_a_row_without_a_description_is_called_by_its_number() -> None:
    assert read_row({"x": "1", "__threshold": "much"}, 7) == {
        "vars": {"x": "1"},
        "assert": [],
        "options": {},
        "description": "Row #7",
    }


@pytest.mark.parametrize("cells", [{"__config:expected:threshold": "1"}, {"__config:__expected:threshold": "much"}])
def test_a_column_of_settings_that_cannot_be_read_is_reported(cells: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="must be __config:"):
        read_row(cells, 1)
