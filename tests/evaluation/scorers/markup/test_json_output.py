import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.json_schema import json_schema_validator
from promptuary.evaluation.scorers.markup.json_output import ContainsJson, IsJson, SchemaValue, find_objects
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.prompt.errors import Invalid
from promptuary.prompt.registration.json_schema import SCHEMA_LIMIT

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
        ("{", False, True),
        ("{{x}}", False, True),
        ("NaN", False, False),
        ('{"a": NaN}', False, True),
        ("9" * 5000, False, False),
        ("[" * 100_000, False, False),
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
        ({"$ref": "https://example.com/schema"}, "only paths inside it"),
        ({"$ref": "file:///etc/passwd"}, "only paths inside it"),
        ({"allOf": [{"$dynamicRef": "#node"}]}, "only paths inside it"),
        ({"$ref": "#"}, "refers to itself by '#'"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}, "refers to itself"),
        ({"$ref": "#/$defs/gone"}, "which is not in it"),
        ({"allOf": [True], "$ref": "#/allOf/1"}, "which is not in it"),
        ({"pattern": "(?=x)"}, "RE2"),
        ({"patternProperties": {"(a+)+$": True}}, "patternProperties"),
        ({"enum": list(range(SCHEMA_LIMIT))}, "more than 10000 parts"),
        (create_schema_bomb(40), "more than 10000 parts"),
    ],
)
def test_an_invalid_remote_or_endless_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        json_schema_validator(schema)
    assert message in str(raised.value)


def test_a_reference_can_lead_through_escapes_and_lists() -> None:
    schema = json_schema_validator(
        {"$defs": {"a/b": {"type": "string"}}, "allOf": [{"type": "string"}], "items": {"$ref": "#/$defs/a~1b"}}
    )
    assert list(schema.iter_errors("x")) == []
    assert json_schema_validator({"anyOf": [{"type": "string"}], "items": {"$ref": "#/anyOf/0"}})


@given(st.text(alphabet='{}[]":,a1 \\\n'))
def test_any_text_can_be_searched_for_objects(text: str) -> None:
    assert all(isinstance(value, dict) for value in find_objects(text))


def test_a_text_of_braces_alone_can_be_searched() -> None:
    assert list(find_objects("{" * 20_000)) == []
    assert list(find_objects("{}" * 20_000)) == [{}] * 20_000
