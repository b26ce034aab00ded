"""The losses of a reader of JSON, compared with a JSON Schema validator, and their messages."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.prompt.canonical_json import json_equal
from promptuary.prompt.diff.schemas import SchemaSubject, schema_losses

SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, 2, 0.5, "", "a", "bb", "ccc"])
INSTANCES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])


def _schema(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "const": SCALARS,
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "minLength": st.integers(0, 3),
            "maxItems": st.integers(0, 3),
            "minimum": st.sampled_from([0, 0.5, 1]),
            "exclusiveMaximum": st.sampled_from([1, 1.5, 2]),
            "pattern": st.sampled_from(["a", "b"]),
            "description": st.sampled_from(["x", "y"]),
            "if": inner,
            "then": inner,
        },
    )


SCHEMAS = st.recursive(st.booleans() | _schema(st.booleans()), _schema, max_leaves=8)
KEYWORDS = [
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "$defs", "minimum", "maxLength"),
    *("anyOf", "a", "$ref", "description"),
]
JSON = st.recursive(
    SCALARS | TYPES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner), max_leaves=8
)


def without_closed_objects(schema: Any) -> Any:
    """Return the schema for a reader that ignores unknown fields: without `additionalProperties: false`."""
    if isinstance(schema, list):
        return [without_closed_objects(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        keyword: without_closed_objects(value) for keyword, value in schema.items() if keyword not in ("enum", "const", "if")
    }
    result |= {keyword: schema[keyword] for keyword in ("enum", "const", "if") if keyword in schema}
    return {keyword: value for keyword, value in result.items() if (keyword, value) != ("additionalProperties", False)}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw two schemas: independent ones, or a second that differs a little from the first."""
    old, other = draw(SCHEMAS), draw(SCHEMAS)
    if isinstance(old, bool) or isinstance(other, bool) or draw(st.booleans()):
        return old, other
    new = dict(old)
    for keyword in draw(st.sets(st.sampled_from([*old, *other, "title"]), max_size=2)):
        new.pop(keyword, None)
        new |= {keyword: other[keyword]} if keyword in other else {}
    return old, new


def losses(old: Any, new: Any, **more: Any) -> list[tuple[str, str]]:
    return [(loss.path, loss.reason) for loss in schema_losses(old, new, SchemaSubject("f", "the response", "field", **more))]


@settings(max_examples=300)
@given(pairs(), st.lists(INSTANCES, max_size=20))
def test_without_a_loss_every_value_of_the_new_schema_fits_the_old(pair: tuple[Any, Any], instances: list[Any]) -> None:
    old, new = pair
    if losses(old, new):
        return
    old_validator, new_validator = (jsonschema.Draft202012Validator(schema) for schema in (without_closed_objects(old), new))
    for instance in instances:
        if new_validator.is_valid(instance):
            assert old_validator.is_valid(instance), instance


@given(JSON, JSON, st.booleans())
def test_json_that_is_not_a_schema_is_compared_too(old: Any, new: Any, closed: bool) -> None:
    assert losses(old, old, closed=closed) == []
    all_losses = losses(old, new, closed=closed)
    assert all(path.startswith("f") for path, _ in all_losses)


@given(JSON, JSON)
def test_values_are_equal_where_their_canonical_forms_are(left: Any, right: Any) -> None:
    from promptuary.prompt.canonical_json import canonical_json

    assert json_equal(left, right) == (canonical_json(left) == canonical_json(right))


RESPONSE_SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["a", "b"]}, "score": {"type": "integer", "maximum": 5}},
    "required": ["intent", "score"],
    "additionalProperties": False,
}


def response_schema(**keywords: Any) -> dict[str, Any]:
    return {**RESPONSE_SCHEMA, **keywords}


def with_field(name: str, schema: Any) -> dict[str, Any]:
    return response_schema(properties={**RESPONSE_SCHEMA["properties"], name: schema})


@pytest.mark.parametrize(
    ("new", "path", "reason"),
    [
        (
            response_schema(properties={"intent": RESPONSE_SCHEMA["properties"]["intent"]}),
            "f.properties.score",
            "the response's field 'score' is removed",
        ),
        (response_schema(required=["intent"]), "f.required", "the response's field 'score' may be missing now"),
        (
            with_field("score", {"type": "number", "maximum": 5}),
            "f.properties.score.type",
            "the response's field 'score' may be of another type now: number",
        ),
        (
            with_field("score", {"type": "integer", "maximum": 9}),
            "f.properties.score.maximum",
            "the response's field 'score' has a wider range now: maximum was 5 and is 9",
        ),
        (
            with_field("score", {"type": "integer"}),
            "f.properties.score.maximum",
            "the response's field 'score' has a wider range now: maximum is removed",
        ),
        (
            with_field("intent", {"enum": ["a", "b", "c"]}),
            "f.properties.intent.enum",
            "the response's field 'intent' may have new values: \"c\"",
        ),
        (
            with_field("intent", {"type": "string"}),
            "f.properties.intent.enum",
            "the response's field 'intent' may have any value now",
        ),
        (
            with_field("intent", {"enum": ["a"], "if": {}}),
            "f.properties.intent.if",
            "the response's field 'intent' has `if` now, which is not known to be safe",
        ),
        ({"$ref": "#/$defs/a"}, "f.type", "the response may be of another type now: array, boolean, null, number, string"),
    ],
)
def test_a_loss_has_the_path_of_the_keyword_that_causes_it(new: Any, path: str, reason: str) -> None:
    all_losses = losses(RESPONSE_SCHEMA, new)
    assert (
        path,
        reason.replace("array, boolean, null, number, string", "array, boolean, integer, null, number, string"),
    ) in all_losses


@pytest.mark.parametrize(
    "new",
    [
        with_field("more", {"type": "string"}),
        response_schema(required=["intent", "score", "more"], description="other text"),
        with_field("intent", {"const": "a"}),
        with_field("intent", {"enum": ["b"], "type": "string"}),
        with_field("score", {"type": "integer", "maximum": 3, "minimum": 1, "multipleOf": 2}),
        {**RESPONSE_SCHEMA, "additionalProperties": True},
    ],
)
def test_more_fields_and_narrower_values_are_no_loss(new: Any) -> None:
    assert losses(RESPONSE_SCHEMA, new) == []


def test_a_definition_is_compared_where_both_have_it() -> None:
    old = {"$defs": {"a": {"type": "string"}, "b": {}}, "items": {"$ref": "#/$defs/a"}, "type": "array"}
    assert losses(old, {**old, "$defs": {"a": {"type": "string", "maxLength": 3}}}) == []
    assert losses(old, {**old, "$defs": {"a": {"type": "null"}}}) == [
        ("f.$defs.a.type", "the response's field 'a' may be of another type now: null")
    ]


def test_an_item_of_a_list_is_named_with_brackets() -> None:
    old = {"items": {"type": "object", "required": ["x"]}}
    assert losses(old, {"items": {"type": "object"}}) == [
        ("f.items.required", "the response's field '[].x' may be missing now")
    ]
    assert losses(old, {}) == [("f.items", "the response has no `items` any more")]


def test_a_new_argument_of_a_function_is_a_loss() -> None:
    old = {"properties": {"a": {}}, "additionalProperties": False}
    new = {"properties": {"a": {}, "b": {}}, "additionalProperties": False}
    assert losses(old, new) == []
    assert [path for path, _ in losses(old, new, closed=True)] == ["f.properties.b"]
    assert [path for path, _ in losses(old, {"properties": {"a": {}}}, closed=True)] == ["f.additionalProperties"]
    assert [path for path, _ in losses({}, {"properties": {"b": {}}}, closed=True)] == ["f.properties"]
    assert losses({"additionalProperties": True}, {"properties": {"b": {}}}, closed=True) == []
    nested = {"properties": {"a": {"type": "object", "properties": {"b": {}}}}}
    assert losses({"properties": {"a": {"type": "object"}}}, nested, closed=True) == []
    assert losses({"properties": {"a": {}}}, nested, closed=True) == []
