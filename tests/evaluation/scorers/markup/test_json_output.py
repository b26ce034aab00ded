import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.json_schema.schema import compile_schema
from promptuary.evaluation.scorers.json_schema.walk import PARTS_LIMIT
from promptuary.evaluation.scorers.markup.json_output import ContainsJson, IsJson, SchemaValue, find_objects
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.prompt.errors import Invalid

DRAFT_7, DRAFT_2020 = "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"
PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"$ref": "#/$defs/name"}, "age": {"type": "integer", "minimum": 18}},
    "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
}


def score(scorer_class: type[IsJson | ContainsJson], output: str, schema: Any = None, *, inverse: bool = False) -> Score:
    scorer = scorer_class("json", 1.0, inverse, SchemaValue.parse(schema))
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {}), output)))


@pytest.mark.parametrize(
    ("output", "whole", "within"),
    [
        ('{"name": "Ada", "age": 36}', True, True),
        ("[1, 2]", True, False),
        ('[{"a": 1}]', True, True),
        ('"str"', True, False),
        ("42", True, False),
        ("null", True, False),
        ("not json", False, False),
        ("", False, False),
        ('{"a": 1} trailing', False, True),
        ('Here it is: {"name": "Cy"} done', False, True),
        ('```json\n{"name": "Di"}\n```', False, True),
        ("{bad: 1}", False, True),
        ("{'quoted': 'so'}", False, True),
        ('{"cut": {"off": 1', False, True),
        ('{"a": "}"}', True, True),
        ("{", False, False),
        ("{ ", False, True),
        ("{{x}}", False, True),
        ("NaN", False, False),
        ('{"a": NaN}', False, True),
        ("9" * 5000, True, False),  # infinite in JavaScript, and JSON
        ("[" + "9" * 5000 + ", and", False, False),
        ("[" + "9" * 5000 + ", NaN]", False, False),
        ('{"a": ' + "9" * 5000 + "}", True, True),
        ('{a: 1, // one\n"b": "x//y"}', False, True),
    ],
)
def test_json_is_recognized_whole_or_within_a_text(output: str, whole: bool, within: bool) -> None:
    for scorer_class, holds in ((IsJson, whole), (ContainsJson, within)):
        assert (score(scorer_class, output).passed, score(scorer_class, output, inverse=True).passed) == (holds, not holds)


@pytest.mark.parametrize("schema", [PERSON, "type: object\nrequired: [name, age]\nproperties: {age: {minimum: 18}}"])
def test_json_must_fit_the_schema(schema: Any) -> None:
    good, young = '{"name": "Ada", "age": 36}', '{"name": "Bo", "age": 12}'
    assert score(IsJson, good, schema).passed is True
    assert score(IsJson, good, schema, inverse=True).passed is False
    refused = score(IsJson, young, schema)
    assert (refused.passed, refused.score, refused.reason) == (False, 0.0, "the JSON does not fit the schema at 'age': minimum")
    assert score(IsJson, young, schema, inverse=True).passed is True
    assert score(ContainsJson, f"first {young}, then {good}", schema).passed is True
    assert score(ContainsJson, f"only {young}", schema).passed is False


def test_a_schema_of_false_fits_nothing() -> None:
    assert score(IsJson, "1", False).passed is False
    assert score(IsJson, "1", True).passed is True


def test_a_pattern_in_a_schema_is_matched_by_re2() -> None:
    assert score(IsJson, '{"name": "ada", "age": 36}', PERSON).passed is False
    assert score(IsJson, '"' + "a" * 50_000 + '!"', {"pattern": "(a+)+$"}).passed is False


def create_schema_bomb(levels: int) -> dict[str, Any]:
    """Create a schema whose expansion has 2 ** levels parts."""
    definitions: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels):
        definitions[f"d{level}"] = {"anyOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 2}
    return {"$ref": f"#/$defs/d{levels - 1}", "$defs": definitions}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "must be an object"),
        ("- a", "must be an object"),
        ("a: [", "the schema is not valid YAML"),
        ({"type": "objekt"}, "not valid JSON Schema at 'type'"),
        ({"properties": {"a": {"minimum": "5"}}}, "at 'properties/a/minimum'"),
        ({"$ref": "https://example.com/schema"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"allOf": [{"$dynamicRef": "#node"}]}, "which is not in it"),
        ({"$ref": "#/$defs/gone"}, "which is not in it"),
        ({"allOf": [True], "$ref": "#/allOf/1"}, "which is not in it"),
        ({"pattern": "(a"}, "expecting"),
        ({"patternProperties": {"[": {}}}, "unexpected end"),
        ({"enum": list(range(PARTS_LIMIT))}, "more than 10,000 parts"),
        ({"type": "string", "format": "emial"}, "the format 'emial', which is not known"),
        ({"type": "string", "requierd": ["a"]}, "the keyword `requierd`, which its draft does not know"),
        ({"properties": {"a": {"typo": 1}}}, "the keyword `typo`"),
        ({"$defs": {"a": {"typo": 1}}}, "the keyword `typo`"),
        ({"$schema": "https://example.com/mine"}, "names the draft"),
        ({"unevaluatedProperties": False, "patternProperties": {"a": {}}}, "do not go together"),
        ({"$schema": DRAFT_7, "$ref": "#/definitions/a", "maxLength": 1, "definitions": {"a": {}}}, "ignores it"),
        ({"$schema": DRAFT_7, "prefixItems": []}, "it is of 2020-12"),
        ({"$schema": DRAFT_2020, "additionalItems": False}, "in 2020-12 it is `items`"),
        ({"$schema": DRAFT_2020, "items": [{}]}, "not valid JSON Schema at 'items'"),
        ({"$schema": DRAFT_7, "minContains": 2}, "does not know"),
        ({"id": "own"}, "the keyword `id`"),
    ],
)
def test_an_invalid_or_remote_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        compile_schema(schema)
    assert message in str(raised.value)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}]}, create_schema_bomb(40)])
def test_an_endless_schema_is_an_error_of_its_scorer(schema: Any) -> None:
    for inverse in (False, True):
        result = score(IsJson, "[1]", schema, inverse=inverse)
        assert (result.passed, result.score) == (None, None)
        assert "the schema" in (result.error or "")


@pytest.mark.parametrize("schema", [{"pattern": r"^(?=a)(a+)+\1$"}, {"patternProperties": {r"^(?=a)(a+)+$": {"type": "null"}}}])
def test_a_catastrophic_pattern_is_an_error_of_its_scorer(schema: Any) -> None:
    text = "a" * 100 + "!"
    for output in (json.dumps(text), json.dumps({text: 1})):
        if (output[0] == "{") is ("patternProperties" in schema):
            assert "limit of time" in (score(IsJson, output, schema, inverse=True).error or "")


def test_an_output_that_is_nested_too_deep_is_an_error() -> None:
    for inverse in (False, True):
        assert "nested too deep" in (score(IsJson, "[" * 100_000, inverse=inverse).error or "")


def test_a_schema_may_refer_to_itself_within_its_parts() -> None:
    tree = {"type": "object", "required": ["name"], "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}
    assert score(IsJson, '{"name": 1, "children": [{"name": 2}]}', tree).passed is True
    assert score(IsJson, '{"name": 1, "children": [{}]}', tree).passed is False
    assert score(IsJson, '{"name": 1, "children": [{}]}', {**tree, "$schema": DRAFT_7}).passed is False


def test_a_reference_can_lead_through_escapes_and_lists() -> None:
    schema = compile_schema(
        {"$defs": {"a/b": {"type": "string"}}, "allOf": [{"type": "string"}], "items": {"$ref": "#/$defs/a~1b"}}
    )
    assert schema.error("x") is None
    assert compile_schema({"anyOf": [{"type": "string"}], "items": {"$ref": "#/anyOf/0"}}).error([1]) is not None
    assert compile_schema({"$ref": "#name", "$defs": {"n": {"$anchor": "name", "type": "string"}}}).error(1) is not None


@given(st.text(alphabet='{}[]":,a1 \\\n'))
def test_any_text_can_be_searched_for_objects(text: str) -> None:
    assert all(isinstance(value, dict) for value in find_objects(text))


def test_a_text_of_braces_alone_can_be_searched() -> None:
    assert list(find_objects("{}" * 20_000)) == [{}] * 20_000
    with pytest.raises(Invalid, match="more than 20,000 characters in braces"):
        list(find_objects("{" * 20_000))


@pytest.mark.parametrize("braces_only", [False, True])
def test_a_search_that_fails_again_and_again_ends_at_a_limit(braces_only: bool) -> None:
    objects = find_objects('{"a":[1,' * 12_000 + " {}", braces_only=braces_only)
    with pytest.raises(Invalid, match="in braces that are no strict JSON"):
        next(objects)


def test_each_of_many_small_objects_that_are_no_strict_json_counts() -> None:
    assert len(list(find_objects('[{"n": NaN}, ' * 400))) == 400


def test_promptfoo_ends_an_object_where_its_braces_are_balanced() -> None:
    text = 'text {"a": "b}c"} more'
    assert list(find_objects(text)) == [{"a": "b}c"}]
    assert list(find_objects(text, braces_only=True)) == []
