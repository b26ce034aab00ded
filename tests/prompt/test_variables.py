from types import MappingProxyType
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.variables import PARTS_LIMIT, Schema, Variable, validate_values, value_error


def field_errors(variables: dict[str, dict[str, Any]], values: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidVariables) as raised:
        validate_values({name: Variable(**fields) for name, fields in variables.items()}, values)
    return [(error.path, error.message) for error in raised.value.field_errors]


def test_valid_values_are_returned_with_the_defaults_of_missing_ones() -> None:
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


def test_all_errors_are_reported_together() -> None:
    assert field_errors({"a": {"type": "string"}, "b": {}}, {"a": 1, "c": 2}) == [
        ("c", "is not a variable of this prompt"),
        ("a", "must be of type string"),
        ("b", "is required and has no value"),
    ]


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, None, "must be of type string"),
        ({"type": "integer"}, True, "must be of type integer"),
        ({"type": "integer"}, 1.5, "must be of type integer"),
        ({"type": "number"}, "1", "must be of type number"),
        ({"type": "boolean"}, 0, "must be of type boolean"),
        ({"type": "array"}, {}, "must be of type array"),
        ({"type": "object"}, [], "must be of type object"),
        ({"enum": ["ø", True, None, 1.0]}, "c", 'must be one of ["ø", true, null, 1.0]'),
        ({"enum": ["a", "b"]}, "c", 'must be one of ["a", "b"]'),
        ({"minLength": 2}, "a", "must have at least 2 characters"),
        ({"maxLength": 2}, "abc", "must have at most 2 characters"),
        ({"minimum": 1}, 0, "must be at least 1"),
        ({"maximum": 1.5}, 2, "must be at most 1.5"),
        ({"minItems": 1}, [], "must have at least 1 items"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_message(schema: dict[str, Any], value: Any, message: str) -> None:
    assert field_errors({"x": schema}, {"x": value}) == [("x", message)]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", float("nan"), MappingProxyType({})], ids=lambda value: type(value).__name__
)
def test_a_value_that_json_cannot_represent_is_refused(value: Any) -> None:
    assert field_errors({"x": {}}, {"x": value}) == [("x", "must be a JSON value")]
    assert field_errors({"x": {}}, {"x": [{"deep": value}]}) == [("x", "must be a JSON value")]


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert field_errors({"x": {}}, {"x": loop}) == [("x", "must be a JSON value")]


def test_no_error_repeats_the_value() -> None:
    secret = "hunter2hunter2"
    for schema in ({"type": "integer"}, {"maxLength": 3}, {"enum": ["a"]}):
        with pytest.raises(InvalidVariables) as raised:
            validate_values({"x": Variable(**schema)}, {"x": secret})
        assert secret not in str(raised.value)


ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 2},
        "note": {"type": "string", "required": False},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1}}}},
    },
}


def test_objects_and_lists_are_checked_at_every_depth() -> None:
    good = {"id": "a1", "lines": [{"count": 1}, {"count": 2}]}
    assert validate_values({"order": Variable.model_validate(ORDER)}, {"order": good}) == {"order": good}
    assert validate_values({"l": Variable.model_validate({"type": "array", "items": {"enum": ["a", 1]}})}, {"l": ["a", 1]})


@pytest.mark.parametrize(
    ("value", "path", "message"),
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
def test_an_error_inside_a_value_has_its_path_and_not_the_value(value: Any, path: str, message: str) -> None:
    assert field_errors({"order": ORDER}, {"order": value}) == [(path, message)]


def test_a_value_with_too_many_parts_is_refused_early() -> None:
    message = f"has more than {PARTS_LIMIT} parts"
    assert field_errors({"l": {"type": "array", "items": {"type": "integer"}}}, {"l": [0] * PARTS_LIMIT}) == [("l", message)]
    loop: list[Any] = []
    loop += [loop, loop]
    assert field_errors({"l": {"type": "array", "items": {"type": "array"}}}, {"l": loop}) == [("l", message)]


@pytest.mark.parametrize(
    ("schema", "message"),
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
def test_a_schema_that_contradicts_itself_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Variable.model_validate(schema)


def test_fields_that_were_not_set_are_not_in_the_content() -> None:
    assert Variable(type="string").model_dump(exclude_none=True) == {"type": "string", "required": True, "sensitive": False}


def test_a_default_must_fit_too() -> None:
    with pytest.raises(ValidationError, match="the default must be of type integer"):
        Variable(type="integer", default="a")


@pytest.mark.parametrize(
    "schema", [{"type": "text"}, {"minLength": -1}, {"pattern": "(a+)+$"}, {"enum": []}, {"required": "no"}]
)
def test_a_keyword_outside_the_supported_json_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Variable.model_validate(schema)


def test_an_error_is_printed_as_line_path_and_message() -> None:
    assert str(FieldError("a.0", "is wrong", 3)) == "line 3: a.0: is wrong"
    assert str(FieldError("", "is wrong")) == "is wrong"


@pytest.mark.parametrize("schema", [{}, {"type": "string"}])
@pytest.mark.parametrize("value", ["", "one", 1, True, None, 1.5, [1], {"a": [None]}, float("nan"), b"x", ["x", object()]])
def test_a_value_without_limits_is_judged_as_the_library_judges_it(schema: dict[str, Any], value: Any) -> None:
    is_refused = value_error("v", Schema(**schema), value) is not None
    fits_the_schema = Draft202012Validator(schema).is_valid(value)
    is_json = isinstance(value, str | int | list | dict | None) and not (isinstance(value, list) and value[0] == "x")
    assert is_refused is not (fits_the_schema and (is_json or value == 1.5))
