"""What a reviewer may enter in each type of field, and what is refused with its path."""

from typing import Any

import pytest

from promptuary.review.labels.values import JudgedOutput, filled_values, label_errors
from promptuary.review.queues.label_schema import FieldType, LabelField, LabelSchema, Option

OUTPUT = "naïve 👍🏽 e\u0301nd"
TEXT = JudgedOutput(len(OUTPUT))
PAIR = JudgedOutput(None, is_pair=True)


def field(kind: str, options: str = "", **rest: Any) -> LabelSchema:
    parsed = tuple(Option(value, value) for value in options.split()) or None
    return LabelSchema((LabelField("x", FieldType(kind), "X", options=parsed, **rest),))


def errors(schema: LabelSchema, value: Any, output: JudgedOutput = TEXT) -> list[tuple[str, str]]:
    return [(error.path, error.message) for error in label_errors(schema, {"x": value}, output)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (field("choice", "a b"), "a"),
        (field("choices", "a b c"), ["c", "a"]),
        (field("choices", "a b c", minimum=1, maximum=2), ["c", "a"]),
        (field("ordinal", "low mid high"), "mid"),
        (field("ordinal", minimum=1, maximum=5), 5),
        (field("number"), -0.5),
        (field("number", minimum=0, maximum=10), 10),
        (field("text", maximum=5), "12345"),
        (field("tags", "tone facts"), ["tone", "my own"]),
        (field("spans"), [{"start": 0, "end": len(OUTPUT)}]),
        (field("spans"), [{"start": 6, "end": 7}, {"start": 6, "end": 8}]),
        (field("spans", "wrong unclear"), [{"start": 0, "end": 1, "label": "wrong"}]),
    ],
)
def test_a_value_of_its_type_is_accepted(schema: LabelSchema, value: Any) -> None:
    assert errors(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "path"),
    [
        (field("choice", "a b"), "c", ""),
        (field("choice", "a b"), ["a"], ""),
        (field("choices", "a b"), "a", ""),
        (field("choices", "a b"), ["a", "c"], ".1"),
        (field("choices", "a b"), ["a", {}], ".1"),
        (field("choices", "a b"), ["a", "a"], ".1"),
        (field("choices", "a b", maximum=1), ["a", "b"], ""),
        (field("ordinal", "low high"), 1, ""),
        (field("ordinal", minimum=0, maximum=5), 6, ""),
        (field("ordinal", minimum=0, maximum=5), True, ""),
        (field("ordinal", minimum=0, maximum=5), "3", ""),
        (field("ordinal", minimum=0, maximum=5), {}, ""),
        (field("number"), "1", ""),
        (field("number"), True, ""),
        (field("number"), float("inf"), ""),
        (field("number", minimum=0), -1, ""),
        (field("number", maximum=1), 1.01, ""),
        (field("text"), 3, ""),
        (field("text", maximum=5), "123456", ""),
        (field("text", minimum=5), "1234", ""),
        (field("tags"), "tone", ""),
        (field("tags"), ["tone", " "], ".1"),
        (field("tags"), ["tone", "tone"], ".1"),
        (field("spans"), {"start": 0, "end": 1}, ""),
        (field("spans"), [{"start": 0, "end": 1}, {"start": 0, "end": 1}], ".1"),
        (field("spans"), [{"start": 0, "end": len(OUTPUT) + 1}], ".0"),
        (field("spans"), [{"start": 3, "end": 3}], ".0"),
        (field("spans"), [{"start": -1, "end": 3}], ".0"),
        (field("spans"), [{"start": 0.0, "end": 3}], ".0"),
        (field("spans"), [{"start": False, "end": 3}], ".0"),
        (field("spans"), [{"start": 0}], ".0"),
        (field("spans"), ["a"], ".0"),
        (field("spans"), [{"start": 0, "end": 1, "text": "n"}], ".0"),
        (field("spans"), [{"start": 0, "end": 1, "label": "wrong"}], ".0"),
        (field("spans", "wrong unclear"), [{"start": 0, "end": 1}], ".0"),
        (field("spans", "wrong unclear"), [{"start": 0, "end": 1, "label": "other"}], ".0"),
        (field("preference"), "left", ""),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_path(schema: LabelSchema, value: Any, path: str) -> None:
    assert [each for each, _ in errors(schema, value)] == [f"labels.x{path}"]


def test_spans_count_code_points_and_not_bytes_or_utf_16_units() -> None:
    assert (len(OUTPUT), len(OUTPUT.encode()), len(OUTPUT.encode("utf-16-le")) // 2) == (13, 21, 15)
    assert errors(field("spans"), [{"start": 12, "end": 13}]) == []
    assert errors(field("spans"), [{"start": 13, "end": 14}]) == [("labels.x.0", "ends at 14; the output has 13 characters")]


def test_spans_need_a_text_output() -> None:
    assert errors(field("spans"), [{"start": 0, "end": 1}], JudgedOutput(None))[0][1].startswith("the item has no text output")


@pytest.mark.parametrize("value", ["left", "right", "tie"])
def test_a_preference_is_a_side_of_a_pair(value: str) -> None:
    assert errors(field("preference"), value, PAIR) == []
    assert errors(field("preference"), "first", PAIR) == [("labels.x", "must be one of: left, right, tie")]


@pytest.mark.parametrize("value", [None, "", "  ", []])
def test_an_empty_value_of_a_required_field_is_missing(value: Any) -> None:
    assert errors(field("text", required=True), value) == [("labels.x", "is required")]
    assert errors(field("text"), value) == []
    assert filled_values({"x": value, "y": 0, "z": False}) == {"y": 0, "z": False}


def test_every_error_is_reported_at_once() -> None:
    schema = LabelSchema(
        (
            LabelField("a", FieldType.TEXT, "A", required=True),
            LabelField("b", FieldType.NUMBER, "B"),
        )
    )
    paths = [error.path for error in label_errors(schema, {"b": "x", "c": 1}, TEXT)]
    assert paths == ["labels.c", "labels.a", "labels.b"]
