"""What readers of answers lose, held against a JSON Schema validator, and told in words."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.prompt.diff.schemas import json_equal, schema_losses

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
WORDS = [
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "$defs", "minimum", "maxLength"),
    *("anyOf", "a", "$ref", "description"),
]
JSON = st.recursive(
    SCALARS | TYPES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner), max_leaves=8
)


def opened(schema: Any) -> Any:
    """The schema as a reader takes it who passes over fields that are unknown: `additionalProperties: false` keeps none out."""
    if isinstance(schema, list):
        return [opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {word: opened(value) for word, value in schema.items() if word not in ("enum", "const", "if")}
    kept |= {word: schema[word] for word in ("enum", "const", "if") if word in schema}
    return {word: value for word, value in kept.items() if (word, value) != ("additionalProperties", False)}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas: unlike each other, or the second one a little different from the first."""
    old, other = draw(SCHEMAS), draw(SCHEMAS)
    if isinstance(old, bool) or isinstance(other, bool) or draw(st.booleans()):
        return old, other
    new = dict(old)
    for word in draw(st.sets(st.sampled_from([*old, *other, "title"]), max_size=2)):
        new.pop(word, None)
        new |= {word: other[word]} if word in other else {}
    return old, new


def lost(old: Any, new: Any, **more: Any) -> list[tuple[str, str]]:
    return [(loss.path, loss.why) for loss in schema_losses(old, new, "f", "the answer", "field", **more)]


@settings(max_examples=300)
@given(pairs(), st.lists(INSTANCES, max_size=20))
def test_without_a_loss_every_answer_that_may_come_is_one_that_could_come(pair: tuple[Any, Any], instances: list[Any]) -> None:
    old, new = pair
    if lost(old, new):
        return
    could, may = (jsonschema.Draft202012Validator(schema) for schema in (opened(old), new))
    for instance in instances:
        if may.is_valid(instance):
            assert could.is_valid(instance), instance


@given(JSON, JSON, st.booleans())
def test_what_is_no_schema_is_compared_all_the_same(old: Any, new: Any, closed: bool) -> None:
    assert lost(old, old, closed=closed) == []
    found = lost(old, new, closed=closed)
    assert all(path.startswith("f") for path, _ in found)


@given(JSON, JSON)
def test_values_are_the_same_as_their_canonical_forms_are(one: Any, other: Any) -> None:
    from promptuary.prompt.digest import canonical_json

    assert json_equal(one, other) == (canonical_json(one) == canonical_json(other))


ANSWER = {
    "type": "object",
    "properties": {"intent": {"enum": ["a", "b"]}, "score": {"type": "integer", "maximum": 5}},
    "required": ["intent", "score"],
    "additionalProperties": False,
}


def answer(**words: Any) -> dict[str, Any]:
    return {**ANSWER, **words}


def field(name: str, schema: Any) -> dict[str, Any]:
    return answer(properties={**ANSWER["properties"], name: schema})


@pytest.mark.parametrize(
    ("new", "path", "why"),
    [
        (
            answer(properties={"intent": ANSWER["properties"]["intent"]}),
            "f.properties.score",
            "the answer's field 'score' is taken away",
        ),
        (answer(required=["intent"]), "f.required", "the answer's field 'score' may be missing now"),
        (
            field("score", {"type": "number", "maximum": 5}),
            "f.properties.score.type",
            "the answer's field 'score' may be of another type now: number",
        ),
        (
            field("score", {"type": "integer", "maximum": 9}),
            "f.properties.score.maximum",
            "the answer's field 'score' is held less tightly: maximum was 5 and is 9",
        ),
        (
            field("score", {"type": "integer"}),
            "f.properties.score.maximum",
            "the answer's field 'score' is held less tightly: maximum is gone",
        ),
        (
            field("intent", {"enum": ["a", "b", "c"]}),
            "f.properties.intent.enum",
            "the answer's field 'intent' may have new values: \"c\"",
        ),
        (field("intent", {"type": "string"}), "f.properties.intent.enum", "the answer's field 'intent' may have any value now"),
        (
            field("intent", {"enum": ["a"], "if": {}}),
            "f.properties.intent.if",
            "the answer's field 'intent' has `if` now, which cannot be told to be safe",
        ),
        ({"$ref": "#/$defs/a"}, "f.type", "the answer may be of another type now: array, boolean, null, number, string"),
    ],
)
def test_a_loss_is_told_with_the_word_that_is_to_blame(new: Any, path: str, why: str) -> None:
    found = lost(ANSWER, new)
    assert (path, why.replace("array, boolean, null, number, string", "array, boolean, integer, null, number, string")) in found


@pytest.mark.parametrize(
    "new",
    [
        field("more", {"type": "string"}),
        answer(required=["intent", "score", "more"], description="told in other words"),
        field("intent", {"const": "a"}),
        field("intent", {"enum": ["b"], "type": "string"}),
        field("score", {"type": "integer", "maximum": 3, "minimum": 1, "multipleOf": 2}),
        {**ANSWER, "additionalProperties": True},
    ],
)
def test_more_fields_and_tighter_values_are_no_loss(new: Any) -> None:
    assert lost(ANSWER, new) == []


def test_a_definition_is_compared_where_both_have_it() -> None:
    old = {"$defs": {"a": {"type": "string"}, "b": {}}, "items": {"$ref": "#/$defs/a"}, "type": "array"}
    assert lost(old, {**old, "$defs": {"a": {"type": "string", "maxLength": 3}}}) == []
    assert lost(old, {**old, "$defs": {"a": {"type": "null"}}}) == [
        ("f.$defs.a.type", "the answer's field 'a' may be of another type now: null")
    ]


def test_an_item_of_a_list_is_named_by_its_place() -> None:
    old = {"items": {"type": "object", "required": ["x"]}}
    assert lost(old, {"items": {"type": "object"}}) == [("f.items.required", "the answer's field '[].x' may be missing now")]
    assert lost(old, {}) == [("f.items", "the answer has lost its `items`")]


def test_a_function_takes_no_argument_that_it_does_not_know() -> None:
    old = {"properties": {"a": {}}, "additionalProperties": False}
    new = {"properties": {"a": {}, "b": {}}, "additionalProperties": False}
    assert lost(old, new) == []
    assert [path for path, _ in lost(old, new, closed=True)] == ["f.properties.b"]
    assert [path for path, _ in lost(old, {"properties": {"a": {}}}, closed=True)] == ["f.additionalProperties"]
    assert [path for path, _ in lost({}, {"properties": {"b": {}}}, closed=True)] == ["f.properties"]
    assert lost({"additionalProperties": True}, {"properties": {"b": {}}}, closed=True) == []
    inside = {"properties": {"a": {"type": "object", "properties": {"b": {}}}}}
    assert lost({"properties": {"a": {"type": "object"}}}, inside, closed=True) == []
    assert lost({"properties": {"a": {}}}, inside, closed=True) == []
