from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.variables import PARTS_LIMIT, Variable, validate_values


def field_errors(variables: dict[str, dict[str, Any]], values: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidVariables) as raised:
        validate_values({name: Variable(**said) for name, said in variables.items()}, values)
    return [(fault.path, fault.message) for fault in raised.value.field_errors]


def test_values_that_fit_come_back_with_the_defaults_of_those_not_given() -> None:
    variables = {
        "name": Variable(type="string"),
        "tone": Variable(type="string", default="kind"),
        "history": Variable(type="array", required=False),
    }
    assert validate_values(variables, {"name": "Ana"}) == {"name": "Ana", "tone": "kind"}
    assert validate_values(variables, {"name": "Ana", "tone": "dry", "history": []}) == {
        "name": "Ana",
        "tone": "dry",
        "history": [],
    }


def test_every_fault_is_told_at_once() -> None:
    assert field_errors({"a": {"type": "string"}, "b": {}}, {"a": 1, "c": 2}) == [
        ("c", "is not a variable of this prompt"),
        ("a", "must be of type string"),
        ("b", "is required and has no value"),
    ]


@pytest.mark.parametrize(
    ("said", "value", "words"),
    [
        ({"type": "string"}, None, "must be of type string"),
        ({"type": "integer"}, True, "must be of type integer"),
        ({"type": "integer"}, 1.5, "must be of type integer"),
        ({"type": "number"}, "1", "must be of type number"),
        ({"type": "boolean"}, 0, "must be of type boolean"),
        ({"type": "array"}, {}, "must be of type array"),
        ({"type": "object"}, [], "must be of type object"),
        ({"enum": ["a", "b"]}, "c", "must be one of ['a', 'b']"),
        ({"minLength": 2}, "a", "must have at least 2 characters"),
        ({"maxLength": 2}, "abc", "must have at most 2 characters"),
        ({"minimum": 1}, 0, "must be at least 1"),
        ({"maximum": 1.5}, 2, "must be at most 1.5"),
        ({"minItems": 1}, [], "must have at least 1 items"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_words(said: dict[str, Any], value: Any, words: str) -> None:
    assert field_errors({"x": said}, {"x": value}) == [("x", words)]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", float("nan"), MappingProxyType({})], ids=lambda value: type(value).__name__
)
def test_a_value_that_no_json_can_say_is_refused(value: Any) -> None:
    assert field_errors({"x": {}}, {"x": value}) == [("x", "must be a JSON value")]
    assert field_errors({"x": {}}, {"x": [{"deep": value}]}) == [("x", "must be a JSON value")]


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert field_errors({"x": {}}, {"x": loop}) == [("x", "must be a JSON value")]


def test_no_fault_repeats_the_value() -> None:
    secret = "hunter2hunter2"
    for said in ({"type": "integer"}, {"maxLength": 3}, {"enum": ["a"]}):
        with pytest.raises(InvalidVariables) as raised:
            validate_values({"x": Variable(**said)}, {"x": secret})
        assert secret not in str(raised.value)


ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 2},
        "note": {"type": "string", "required": False},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1}}}},
    },
}


def test_objects_and_lists_are_checked_all_the_way_down() -> None:
    good = {"id": "a1", "lines": [{"count": 1}, {"count": 2}]}
    assert validate_values({"order": Variable.model_validate(ORDER)}, {"order": good}) == {"order": good}
    assert validate_values({"l": Variable.model_validate({"type": "array", "items": {"enum": ["a", 1]}})}, {"l": ["a", 1]})


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"lines": []}, "order.id", "is required and has no value"),
        ({"id": "a", "lines": []}, "order.id", "must have at least 2 characters"),
        ({"id": "a1", "lines": {}}, "order.lines", "must be of type array"),
        ({"id": "a1", "lines": [{"count": 1}, {"count": 0}]}, "order.lines.1.count", "must be at least 1"),
        ({"id": "a1", "lines": [{"count": True}]}, "order.lines.0.count", "must be of type integer"),
        ({"id": "a1", "lines": [{}]}, "order.lines.0.count", "is required and has no value"),
        ({"id": "a1", "lines": [], "hunter2": 1}, "order", "has a property that is not in its schema"),
        ({"id": "a1", "lines": [], "note": object()}, "order.note", "must be of type string"),
        ("hunter2", "order", "must be of type object"),
    ],
)
def test_a_value_that_is_wrong_inside_is_named_by_its_path_and_not_repeated(value: Any, path: str, words: str) -> None:
    assert field_errors({"order": ORDER}, {"order": value}) == [(path, words)]


def test_a_value_with_too_many_parts_is_not_gone_through() -> None:
    words = f"has more than {PARTS_LIMIT} parts"
    assert field_errors({"l": {"type": "array", "items": {"type": "integer"}}}, {"l": [0] * PARTS_LIMIT}) == [("l", words)]
    loop: list[Any] = []
    loop += [loop, loop]
    assert field_errors({"l": {"type": "array", "items": {"type": "array"}}}, {"l": loop}) == [("l", words)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"items": {}}, "'items' needs the type array"),
        ({"type": "string", "items": {}}, "'items' needs the type array"),
        ({"type": "array", "properties": {}}, "'properties' needs the type object"),
        ({"type": "array", "items": {"items": {}}}, "'items' needs the type array"),
        ({**ORDER, "default": {"id": "a1", "lines": [{"count": 0}]}}, r"the default \(lines.0.count\) must be at least 1"),
        ({"type": "object", "properties": {"a": {"default": 1}}}, "properties.a.default"),
        ({"type": "object", "properties": {"a": {"sensitive": True}}}, "properties.a.sensitive"),
        ({"type": "array", "items": {"required": True}}, "items.required"),
        ({"type": "array", "items": {"$ref": "#"}}, "items.\\$ref"),
    ],
)
def test_a_schema_that_says_what_cannot_be_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Variable.model_validate(said)


def test_what_was_not_said_is_not_in_the_content_so_that_digests_stay() -> None:
    assert Variable(type="string").model_dump(exclude_none=True) == {"type": "string", "required": True, "sensitive": False}


def test_a_default_must_fit_too() -> None:
    with pytest.raises(ValidationError, match="the default must be of type integer"):
        Variable(type="integer", default="a")


@pytest.mark.parametrize("said", [{"type": "text"}, {"minLength": -1}, {"pattern": "(a+)+$"}, {"enum": []}, {"required": "no"}])
def test_a_word_outside_the_small_part_of_json_schema_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Variable.model_validate(said)


def test_a_fault_reads_as_line_path_and_message() -> None:
    assert str(FieldError("a.0", "is wrong", 3)) == "line 3: a.0: is wrong"
    assert str(FieldError("", "is wrong")) == "is wrong"
