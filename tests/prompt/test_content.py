from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.core.wire import parse_strict_json
from promptuary.prompt.content import TEMPLATE_LIMIT, VARIABLES_LIMIT, Content
from promptuary.prompt.validation_errors import field_errors_from


def field_errors(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        Content.model_validate(body)
    return [(error.path, error.message) for error in field_errors_from(raised.value)]


TEXT = {"type": "text", "template": "x"}
ANY = ""  # the words are the validator's own
CONTEXT = {"collection": "c", "query": "q", "into": "e"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("type", "is required"), ("template", "is required")]),
        ([], [("", "must be an object")]),
        ({**TEXT, "version": 3}, [("version", "is not a known field")]),
        ({**TEXT, "id": 3, "is_admin": True}, [("id", "is not a known field"), ("is_admin", "is not a known field")]),
        ({**TEXT, "type": "image"}, [("type", "should be 'text' or 'chat'")]),
        ({**TEXT, "format": "erb"}, [("format", "should be 'mustache', 'simple', 'f-string' or 'jinja2'")]),
        ({**TEXT, "type": "chat"}, [("", "a text prompt has one string as its template, a chat prompt a list of messages")]),
        ({**TEXT, "template": 3}, [("template", "must be a list")]),
        ({"type": "chat", "template": []}, [("template", "List should have at least 1 item after validation, not 0")]),
        (
            {"type": "chat", "template": [{"role": "robot", "content": "x"}]},
            [("template.0.role", "should be 'system', 'developer', 'user', 'assistant' or 'tool'")],
        ),
        ({"type": "chat", "template": [{"role": "user", "content": 3}]}, [("template.0.content", "must be a string")]),
        ({"type": "chat", "template": ["hello"]}, [("template.0", "must be an object")]),
        (
            {"type": "chat", "template": [{"role": "placeholder", "name": "a.b"}]},
            [("template.0.name", "String should match pattern '^[A-Za-z_][A-Za-z0-9_]{0,63}$'")],
        ),
        ({**TEXT, "variables": {"a": {"type": "text"}}}, [("variables.a.type", ANY)]),
        (
            {**TEXT, "variables": {"a": {"type": "integer", "default": "x"}}},
            [("variables.a", "the default must be of type integer")],
        ),
        ({**TEXT, "model": {}}, [("model.name", "is required")]),
        ({**TEXT, "model": {"name": "m", "temperature": 3}}, [("model.temperature", "should be less than or equal to 2")]),
        ({**TEXT, "model": {"name": "m", "temperature": True}}, [("model.temperature", "must be a number")]),
        ({**TEXT, "model": {"name": "m", "temperature": float("nan")}}, [("model.temperature", ANY)]),
        ({**TEXT, "model": {"name": "m", "max_tokens": 0}}, [("model.max_tokens", "should be greater than or equal to 1")]),
        ({**TEXT, "model": {"name": "m", "max_tokens": "16"}}, [("model.max_tokens", "must be an integer")]),
        ({**TEXT, "context": {**CONTEXT, "k": 0}}, [("context.k", "should be greater than or equal to 1")]),
        ({**TEXT, "context": {**CONTEXT, "collection": "../x"}}, [("context.collection", ANY)]),
        ({**TEXT, "context": {**CONTEXT, "min_score": 2}}, [("context.min_score", "should be less than or equal to 1")]),
        ({**TEXT, "tools": [1]}, [("tools.0", "must be an object")]),
        ({**TEXT, "partials": {"a": None}}, [("partials.a", "must be a string")]),
    ],
)
def test_each_error_has_its_path_and_a_message_of_promptuary(body: Any, expected: list[tuple[str, str]]) -> None:
    errors = field_errors(body)
    assert [path for path, _ in errors] == [path for path, _ in expected]
    assert [message for _, message in errors] == [
        words or message for (_, words), (_, message) in zip(expected, errors, strict=True)
    ]


def test_no_error_repeats_the_input_or_names_a_python_class() -> None:
    message_text = str(
        field_errors({"type": "chat", "template": [{"role": "hunter2", "content": ["hunter2"]}], "model": "hunter2"})
    )
    assert "hunter2" not in message_text
    assert "<" not in message_text


def test_the_template_has_a_limit_over_all_its_messages_together() -> None:
    half = {"role": "user", "content": "x" * (TEMPLATE_LIMIT // 2)}
    assert Content.model_validate({"type": "chat", "template": [half, half]})
    assert field_errors({"type": "chat", "template": [half, half, {"role": "user", "content": "x"}]}) == [
        ("", f"the template is over the limit of {TEMPLATE_LIMIT} characters")
    ]
    assert [path for path, _ in field_errors({**TEXT, "template": "x" * (TEMPLATE_LIMIT + 1)})] == ["template"]


def test_partials_count_towards_the_limit() -> None:
    partials = {str(number): "x" * (TEMPLATE_LIMIT // 2) for number in range(3)}
    assert field_errors({**TEXT, "partials": partials}) == [
        ("", f"the template is over the limit of {TEMPLATE_LIMIT} characters")
    ]


def test_there_is_a_limit_to_the_number_of_variables() -> None:
    variables: dict[str, Any] = {f"v{number}": {} for number in range(VARIABLES_LIMIT + 1)}
    assert [path for path, _ in field_errors({**TEXT, "variables": variables})] == ["variables"]


def test_content_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Content(type="text", template="x").template = "y"  # type: ignore[misc] # the very thing that must fail


LONG = "0.12345678901234567891"


@pytest.mark.parametrize(
    "part",
    [
        f'"config": {{"a": [{LONG}]}}',
        f'"model": {{"name": "m", "temperature": {LONG}}}',
        f'"model": {{"name": "m", "top_p": {LONG}}}',
        f'"context": {{"collection": "c", "query": "q", "into": "p", "min_score": {LONG}}}',
        f'"variables": {{"a": {{"default": {LONG}}}}}',
        f'"variables": {{"a": {{"minimum": {LONG}}}}}',
        f'"variables": {{"a": {{"type": "array", "items": {{"enum": [{LONG}]}}}}}}',
        f'"variables": {{"a": {{"type": "object", "properties": {{"b": {{"maximum": {LONG}}}}}}}}}',
    ],
)
def test_a_number_that_would_come_back_as_another_one_is_refused(part: str) -> None:
    body = parse_strict_json(f'{{"type": "text", "template": "{{{{a}}}}", {part}}}'.encode())
    with pytest.raises(ValidationError, match="has more digits than a number keeps: it would come back as"):
        Content.model_validate(body)
