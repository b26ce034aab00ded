"""Declarations that no value can meet are refused when they are registered, and only then."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.registration.declarations import declaration_errors
from promptuary.prompt.registration.validation import CONFIG_DEPTH, CONFIG_LIMIT, validate_content
from promptuary.prompt.templates.preparation import prepare


def content(**variable: Any) -> Content:
    return Content.model_validate({"type": "text", "template": "{{v}}", "variables": {"v": variable}})


@pytest.mark.parametrize(
    ("variable", "path", "message"),
    [
        (
            {"type": "string", "enum": [False, "SE"]},
            "enum.0",
            "is false and can never be given: a value must be of type string",
        ),
        ({"type": "string", "enum": ["a", None]}, "enum.1", "is null and can never be given: a value must be of type string"),
        ({"type": "integer", "enum": [1, 1.5]}, "enum.1", "is 1.5 and can never be given: a value must be of type integer"),
        ({"type": "boolean", "enum": ["yes"]}, "enum.0", 'is "yes" and can never be given: a value must be of type boolean'),
        (
            {"enum": ["abc"], "maxLength": 2},
            "enum.0",
            'is "abc" and can never be given: a value must have at most 2 characters',
        ),
        ({"enum": ["a"], "minLength": 2}, "enum.0", 'is "a" and can never be given: a value must have at least 2 characters'),
        ({"enum": [1, 9], "maximum": 5}, "enum.1", "is 9 and can never be given: a value must be at most 5"),
        ({"enum": [[1]], "minItems": 2}, "enum.0", "is [1] and can never be given: a value must have at least 2 items"),
        ({"enum": ["a", "b", "a"]}, "enum.2", 'is "a", which is enum.0 already'),
        ({"enum": [1, 1.0]}, "enum.1", "is 1.0, which is enum.0 already"),
        ({"enum": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, "enum.1", 'is {"b": 2, "a": 1}, which is enum.0 already'),
        ({"minLength": 5, "maxLength": 2}, "minLength", "is 5, over maxLength, which is 2: no value meets both"),
        ({"minimum": 1, "maximum": 0.5}, "minimum", "is 1, over maximum, which is 0.5: no value meets both"),
        ({"minItems": 3, "maxItems": 0}, "minItems", "is 3, over maxItems, which is 0: no value meets both"),
        (
            {"type": "integer", "minimum": 0.2, "maximum": 0.8},
            "minimum",
            "is 0.2 and maximum 0.8: no integer is between them",
        ),
        (
            {"type": "array", "items": {"enum": [1], "type": "string"}},
            "items.enum.0",
            "is 1 and can never be given: a value must be of type string",
        ),
        (
            {"type": "object", "properties": {"a": {"properties": {"b": {"minLength": 2, "maxLength": 1}}, "type": "object"}}},
            "properties.a.properties.b.minLength",
            "is 2, over maxLength, which is 1: no value meets both",
        ),
        (
            {"type": "object", "properties": {"a": {}}, "enum": [{"b": 1}]},
            "enum.0",
            'is {"b": 1} and can never be given: a value has a property that is not in its schema',
        ),
    ],
)
def test_a_declaration_that_no_value_meets_is_refused_with_its_place(variable: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(content(**variable))
    assert [(error.path, error.message) for error in refused.value.field_errors] == [(f"variables.v.{path}", message)]


@pytest.mark.parametrize(
    "variable",
    [
        {"enum": [False, 0, "0", None, [], {}]},
        {"type": "number", "enum": [1, 1.5], "minimum": 1, "maximum": 1.5},
        {"type": "integer", "minimum": 0.5, "maximum": 1.5},
        {"type": "integer", "minimum": 1, "maximum": 1},
        {"minLength": 2, "maxLength": 2, "minimum": 3},
        {"enum": [1], "maxLength": 0},
        {"type": "string", "default": "x", "required": True},
    ],
)
def test_a_declaration_that_some_value_meets_is_taken(variable: dict[str, Any]) -> None:
    validate_content(content(**variable))


def test_every_contradiction_of_every_variable_is_named() -> None:
    variables = {"a": {"type": "string", "enum": [1, True]}, "b": {"minLength": 2, "maxLength": 1}}
    body = Content.model_validate({"type": "text", "template": "{{a}}{{b}}", "variables": variables})
    assert [error.path for error in declaration_errors(body)] == [
        "variables.a.enum.0",
        "variables.a.enum.1",
        "variables.b.minLength",
    ]


@pytest.mark.parametrize(
    ("items", "path"),
    [({"type": "string"}, "items.type"), ({"type": "object", "properties": {"text": {}}}, "items.properties")],
)
def test_a_placeholder_whose_items_are_no_messages_is_refused(items: dict[str, Any], path: str) -> None:
    template = [{"role": "placeholder", "name": "history"}]
    variables = {"history": {"type": "array", "items": items}}
    body = Content.model_validate({"type": "chat", "template": template, "variables": variables})
    assert [error.path for error in declaration_errors(body)] == [f"variables.history.{path}"]


ROLE, TEXT = {"enum": ["user", "assistant"]}, {"type": "string"}


@pytest.mark.parametrize(
    ("items", "path"),
    [
        ({"enum": ["x", {"role": "user", "content": "x"}]}, "enum.0"),
        ({"enum": [{"role": "user"}]}, "enum.0"),
        ({"type": "object", "properties": {"role": {"type": "integer"}, "content": TEXT}}, "properties.role.type"),
        ({"type": "object", "properties": {"role": {"enum": ["user", "human"]}, "content": {}}}, "properties.role.enum.1"),
        ({"type": "object", "properties": {"role": {"minLength": 20}, "content": {}}}, "properties.role"),
        ({"type": "object", "properties": {"role": ROLE, "content": {"type": "object"}}}, "properties.content.type"),
        ({"type": "object", "properties": {"role": ROLE, "content": {}, "id": {}}}, "properties.id"),
        ({"type": "object", "properties": {"role": ROLE}}, "properties"),
        ({"type": "object", "properties": {"role": {"enum": ["user"]}, "tool_calls": {}}}, "properties.tool_calls"),
        ({"type": "object", "properties": {"role": ROLE, "content": {}, "tool_call_id": {}}}, "properties.tool_call_id"),
        ({"type": "object", "properties": {"role": {}, "tool_calls": {}, "tool_call_id": {}}}, "properties.tool_call_id"),
    ],
)
def test_items_of_a_placeholder_that_no_message_meets_are_refused(items: dict[str, Any], path: str) -> None:
    variables = {"history": {"type": "array", "items": items}}
    template = [{"role": "placeholder", "name": "history"}]
    body = Content.model_validate({"type": "chat", "template": template, "variables": variables})
    assert [error.path for error in declaration_errors(body)] == [f"variables.history.items.{path}"]


def test_items_of_a_placeholder_that_some_message_meets_are_taken() -> None:
    members = {"role": ROLE, "content": {"type": "string", "maxLength": 9}, "id": {"required": False}}
    variables = {"history": {"type": "array", "items": {"type": "object", "properties": members}}}
    template = [{"role": "placeholder", "name": "history"}]
    assert validate_content(Content.model_validate({"type": "chat", "template": template, "variables": variables}))


def image(url: str, variable: dict[str, Any]) -> Content:
    part = {"type": "image_url", "image_url": {"url": url}}
    variables = {"v": variable}
    return Content.model_validate({"type": "chat", "template": [{"role": "user", "content": [part]}], "variables": variables})


@pytest.mark.parametrize(
    ("url", "variable", "path"),
    [
        ("{{v}}", {"type": "integer"}, "variables.v.type"),
        ("{{v}}", {"type": "object"}, "variables.v.type"),
        ("{{v}}", {"enum": ["https://a.example/b", "http://a.example/b"]}, "variables.v.enum.1"),
        ("{{v}}", {"default": "a.png"}, "variables.v.default"),
        ("{{v}}", {"maxLength": 5}, "variables.v.maxLength"),
        ("https://a.example/{{v}}.png", {"enum": ["a", "a b"]}, "variables.v.enum.1"),
        ("{{v}}/a.png", {"enum": ["ftp://a.example"]}, "variables.v.enum.0"),
        ("https://a.example/{{v}}\n", {}, "template.0.content.0.image_url.url"),
    ],
)
def test_a_variable_that_makes_no_url_of_an_image_is_refused(url: str, variable: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(image(url, variable))
    assert [error.path for error in refused.value.field_errors] == [path]
    assert prepare(image(url, variable))  # as a version of an earlier release


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("{{v}}", {"type": "string", "maxLength": 6}),
        ("https://{{v}}", {"maxLength": 1}),
        ("https://a.example/{{v}}", {"type": "integer", "enum": [1, 2]}),
        ("data:image/png;base64,{{v}}", {"maxLength": 4, "default": "AAAA"}),
        ("{{v}}", {"enum": ["HTTPS://a.example/b", "data:,x"]}),
    ],
)
def test_a_variable_that_makes_a_url_of_an_image_is_taken(url: str, variable: dict[str, Any]) -> None:
    assert validate_content(image(url, variable))


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ({"minLength": 2_000_000}, "minLength"),
        ({"type": "array", "minItems": 100_001}, "minItems"),
        ({"type": "array", "items": {"minLength": 2_000_000}}, "items.minLength"),
    ],
)
def test_a_least_size_over_the_limits_of_a_render_is_refused(variable: dict[str, Any], path: str) -> None:
    assert [error.path for error in declaration_errors(content(**variable))] == [f"variables.v.{path}"]
    assert list(declaration_errors(image("{{v}}", {"minLength": 2_000_000}))) == []


def test_an_old_version_with_such_a_declaration_goes_on_rendering() -> None:
    prepared = prepare(content(type="string", enum=[False, "SE"], minLength=0))
    assert prepared.render({"v": "SE"}).text == "SE"


# --- config ---------------------------------------------------------------------------------------------------------------


def configured(config: Any) -> Content:
    return Content.model_validate({"type": "text", "template": "x", "config": config})


@pytest.mark.parametrize("config", [{}, [], "a", 0, False, {"a": [None, {}], "": ""}, [[[[]]]]])
def test_a_config_is_any_json(config: Any) -> None:
    assert validate_content(configured(config)).content.config == config


def test_a_config_over_its_limit_is_refused_with_its_size() -> None:
    validate_content(configured("é" * ((CONFIG_LIMIT - 2) // 2)))
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(configured("a" * CONFIG_LIMIT))
    assert [(error.path, error.message) for error in refused.value.field_errors] == [
        ("config", f"has {CONFIG_LIMIT + 2} bytes as JSON, over the limit of {CONFIG_LIMIT}")
    ]
    with pytest.raises(InvalidPrompt):
        validate_content(configured({"a": 1}), config_limit=6)


def test_a_config_that_is_nested_too_deep_is_refused() -> None:
    def nested(depth: int) -> Any:
        value: Any = 1
        for number in range(depth):
            value = [value] if number % 2 else {"a": value}
        return value

    validate_content(configured(nested(CONFIG_DEPTH)))
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(configured(nested(CONFIG_DEPTH + 1)))
    assert refused.value.field_errors[0].message == f"is nested more than {CONFIG_DEPTH} deep"
