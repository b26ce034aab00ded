"""What may be registered: tools and response formats whose schemas are valid, local and finite."""

from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import Invalid, InvalidPrompt
from promptuary.prompt.json_schema.checks import check_schema
from promptuary.prompt.registration.validation import SCHEMA_LIMIT, TOOLS_LIMIT, validate_content
from promptuary.prompt.validation_errors import field_errors_from

REFERS = {"type": "object", "properties": {"a": {"$ref": "#/$defs/word"}}, "$defs": {"word": {"type": "string"}}}
REMOTE = {"$ref": "https://evil.example/schema.json"}
TYPES = "object, array, string, number, integer, boolean, null"
ONE_TYPE = f"must be one of {TYPES}, or a list of them"
FORMS = f"must be one of text, json_object, json_schema; or, in a JSON Schema, one of {TYPES}"
RING = {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"}


def checked(**more: Any) -> Any:
    return validate_content(Content.model_validate({"type": "text", "template": "x", **more}))


def field_errors(**more: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPrompt) as raised:
        checked(**more)
    return [(error.path, error.message) for error in raised.value.field_errors]


def function(name: Any = "look_up", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Looks up.", **more}}


def test_tools_in_openais_form_and_plain_functions_are_accepted() -> None:
    prepared = checked(
        tools=[
            function(parameters=REFERS, strict=True),
            {"name": "close", "description": "Closes.", "input_schema": REFERS},
            function("open"),
        ]
    )
    assert len(prepared.content.tools) == 3


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([{}], [("tools.0.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([{"type": "function"}], [("tools.0.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([{"type": "function", "function": "f"}], [("tools.0.function", "must be an object")]),
        ([function("")], [("tools.0.function.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([function("a b")], [("tools.0.function.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([function("a" * 65)], [("tools.0.function.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([function("a\n")], [("tools.0.function.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([function(3)], [("tools.0.function.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")]),
        ([function(description=3)], [("tools.0.function.description", "must be a string")]),
        (
            [function(), {"name": "other"}, {"name": "look_up"}],
            [("tools.2.name", "'look_up' is the name of tools.0 already")],
        ),
        ([function(parameters=[])], [("tools.0.function.parameters", "the schema must be an object, true or false")]),
        (
            [function(parameters={"type": "text"})],
            [("tools.0.function.parameters", f"the schema is not valid JSON Schema at 'type': {ONE_TYPE}")],
        ),
        (
            [{"name": "a", "input_schema": REMOTE}],
            [
                (
                    "tools.0.input_schema",
                    "the schema refers to 'https://evil.example/schema.json'; only paths inside it (#/…) are supported",
                )
            ],
        ),
        ([function(parameters=RING)], [("tools.0.function.parameters", "the schema refers to itself by '#/$defs/node'")]),
        ([function(f"f{at}") for at in range(TOOLS_LIMIT + 1)], [("tools", f"there are more than {TOOLS_LIMIT}")]),
    ],
)
def test_tools_that_no_model_could_call_are_errors_with_their_path(tools: Any, expected: list[tuple[str, str]]) -> None:
    assert field_errors(tools=tools) == expected


@pytest.mark.parametrize(
    "form",
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": REFERS}},
        REFERS,
        {"title": "Answer", "type": "object", "properties": {"intent": {"type": "string", "pattern": "^[a-z]+$"}}},
        {},
    ],
)
def test_a_response_format_is_in_openais_form_or_a_schema(form: Any) -> None:
    assert checked(response_format=form).content.response_format == form


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            {"type": "json_schema"},
            [("response_format.json_schema", "must be an object with a `name` and a `schema`")],
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a"}},
            [("response_format.json_schema", "must be an object with a `name` and a `schema`")],
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}},
            [("response_format.json_schema.name", "is required: 1 to 64 of A-Z a-z 0-9 _ -")],
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"required": "b"}}},
            [
                (
                    "response_format.json_schema.schema",
                    "the schema is not valid JSON Schema at 'required': must be a list",
                )
            ],
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": RING}},
            [("response_format.json_schema.schema", "the schema refers to itself by '#/$defs/node'")],
        ),
        (
            {"$ref": "file:///etc/passwd"},
            [("response_format", "the schema refers to 'file:///etc/passwd'; only paths inside it (#/…) are supported")],
        ),
        ({"$ref": "#"}, [("response_format", "the schema refers to itself by '#'")]),
        (
            {"$dynamicRef": "#meta"},
            [("response_format", "the schema refers to '#meta'; only paths inside it (#/…) are supported")],
        ),
        ({"$ref": "#/$defs/a"}, [("response_format", "the schema refers to '#/$defs/a', which is not in it")]),
        ({"type": "objekt"}, [("response_format.type", f'is "objekt": {FORMS}')]),
        ({"type": "jsonschema", "schema": {}}, [("response_format.type", f'is "jsonschema": {FORMS}')]),
        ({"type": 3}, [("response_format.type", f"is 3: {FORMS}")]),
        (
            {"type": "object", "properties": {"a": {"type": "text"}}},
            [("response_format", f"the schema is not valid JSON Schema at 'properties/a/type': {ONE_TYPE}")],
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "strict": "yes", "schema": {}}},
            [("response_format.json_schema.strict", "must be true or false")],
        ),
    ],
)
def test_a_response_format_that_no_response_could_fit_is_refused(form: Any, expected: list[tuple[str, str]]) -> None:
    assert field_errors(response_format=form) == expected


@pytest.mark.parametrize("name", ["text", "json_object", "json_schema"])
def test_a_response_format_that_is_only_a_name_is_refused_with_its_form(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        checked(response_format=name)
    (error,) = field_errors_from(refused.value)
    assert (error.path, error.message) == ("response_format", f'must be an object, as in {{"type": "{name}"}}')


def test_the_schemas_of_a_prompt_have_a_common_size_limit() -> None:
    half = {"enum": ["x"] * (SCHEMA_LIMIT // 2)}
    assert checked(tools=[function(parameters=half)])
    assert field_errors(tools=[function(f"f{at}", parameters=half) for at in range(3)]) == [
        ("tools.1.function.parameters", f"with this, the prompt's schemas have more than {SCHEMA_LIMIT} parts together"),
    ]
    assert field_errors(response_format={"enum": ["x"] * SCHEMA_LIMIT}) == [
        ("response_format", f"the schema has more than {SCHEMA_LIMIT} parts when its references are followed")
    ]


def test_references_that_double_at_every_step_are_counted_not_followed() -> None:
    doubling = {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(60)}
    with pytest.raises(Invalid, match="more than 10000 parts"):
        check_schema({"$defs": {**doubling, "d60": {}}, "$ref": "#/$defs/d0"})


def test_references_that_lead_too_far_are_refused() -> None:
    long = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(1500)}
    with pytest.raises(Invalid, match="its references lead too far"):
        check_schema({"$defs": {"first": {"$ref": "#/$defs/d0"}, **long, "d1500": {}}})


def test_all_errors_of_a_content_are_reported_together() -> None:
    body = {"template": "{{#a}}", "variables": {"b": {}}, "tools": [{}], "response_format": REMOTE}
    assert [path for path, _ in field_errors(**body)] == ["template", "variables.b", "tools.0.name", "response_format"]
