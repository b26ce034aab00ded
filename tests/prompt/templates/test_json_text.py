"""The arguments of tool calls: whatever the values are, they are JSON of the same shape, or an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt

PLACE = "template.0.tool_calls.0.function.arguments"


def content(arguments: str, **more: Any) -> Content:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    template = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    return Content.model_validate({"type": "chat", "template": template, **more})


def rendered(prepared: PreparedPrompt, values: dict[str, Any]) -> str:
    (message,) = prepared.render(values).messages or ()
    return str(message["tool_calls"][0]["function"]["arguments"])


def call(arguments: str, values: dict[str, Any], **more: Any) -> str:
    return rendered(validate_content(content(arguments, **more), jinja2=True), values)


def old_call(arguments: str, values: dict[str, Any], **more: Any) -> str:
    """Return the arguments of a version that an earlier release registered."""
    return rendered(prepare(content(arguments, **more), jinja2=True), values)


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ('{"a": {{x}}}', {"x": "Oslo"}, '{"a": "Oslo"}'),
        ('{"a": {{x}}}', {"x": '1, "admin": true'}, '{"a": "1, \\"admin\\": true"}'),
        ('{"a": {{x}}}', {"x": None}, '{"a": null}'),
        ('{"a": {{x}}}', {"x": True}, '{"a": true}'),
        ('{"a": {{x}}}', {"x": 1.5}, '{"a": 1.5}'),
        ('{"a": {{x}}}', {"x": ['"', None]}, '{"a": ["\\"", null]}'),
        ('{"a": "{{x}}"}', {"x": None}, '{"a": ""}'),
        ('{"a": "{{x}}"}', {"x": {"b": "c"}}, '{"a": "{\\"b\\": \\"c\\"}"}'),
        ('{"a": "{{x}}"}', {"x": '", "admin": "'}, '{"a": "\\", \\"admin\\": \\""}'),
        ("{ {{x}}: 1}", {"x": "k"}, '{ "k": 1}'),
        ("{{x}}", {"x": '{"a": 1}'}, '{"a": 1}'),
        (" {{x}} ", {"x": {"a": 1}}, ' {"a": 1} '),
        ('{"l": [{{#l}}{{.}}, {{/l}}0]}', {"l": [1, "a"]}, '{"l": [1, "a", 0]}'),
    ],
)
def test_a_value_is_written_for_its_place_in_the_json(arguments: str, values: dict[str, Any], expected: str) -> None:
    assert call(arguments, values) == expected


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ('{"a": {{ x|tojson }}}', {"x": "b"}, '{"a": "b"}'),
        ('{"a": {{ x|tojson if x else "none" }}}', {"x": {"b": 1}}, '{"a": {"b": 1}}'),
        ('{"a": {{ x|tojson if x else "none" }}}', {"x": False}, '{"a": "none"}'),
        ('{"a": "{{ x|tojson }}"}', {"x": "b"}, '{"a": "\\"b\\""}'),
        ('{"a": {{ x|upper }}}', {"x": "b"}, '{"a": "B"}'),
        ('{"a": {{ x|default(none) }}}', {}, '{"a": null}'),
        (
            "[{% for i in l %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}]",
            {"l": ["a", 2]},
            '["a", 2]',
        ),
    ],
)
def test_the_values_of_jinja_are_json_too(arguments: str, values: dict[str, Any], expected: str) -> None:
    assert call(arguments, values, format="jinja2") == expected


def test_values_of_the_other_formats_are_json_too() -> None:
    assert call('{{"a": {x}, "b": "{x}"}}', {"x": '"'}, format="f-string") == '{"a": "\\"", "b": "\\""}'
    assert call('{"a": {{x.y}}, "b": "{{x.y}}"}', {"x.y": '"'}, format="simple") == '{"a": "\\"", "b": "\\""}'


def test_an_optional_value_that_is_missing_is_null_outside_of_a_string() -> None:
    variables = {"x": {"required": False}}
    assert call('{"a": {{x}}, "b": "{{x}}"}', {}, variables=variables) == '{"a": null, "b": ""}'


def test_a_partial_inside_a_string_is_escaped_and_outside_it_is_a_part_of_the_json() -> None:
    partials = {"p": 'Say "hi" to {{x}}.\n{{#l}}"{{.}}"{{/l}}'}
    text = call('{"a": "{{> p}}", "b": "{{x}}"}', {"x": '"', "l": ["\\", 1]}, partials=partials)
    assert json.loads(text) == {"a": 'Say "hi" to ".\n"\\""1"', "b": '"'}
    assert call('{"a": {{> p}}}', {"x": '"'}, partials={"p": '{"b": {{x}}, "c": "{{x}}"}'}) == (
        '{"a": {"b": "\\"", "c": "\\""}}'
    )


@pytest.mark.parametrize(
    ("arguments", "values", "message"),
    [
        ("{{x}}", {"x": "no json"}, "with these values, it is not JSON: Expecting value (line 1, column 1)"),
        ("{{x}}", {"x": '{"a": 1, "a": 2}'}, "with these values, it has a member twice in one object"),
        ('{"a": 1, "{{x}}": 2}', {"x": "a"}, "with these values, it has a member twice in one object"),
        (
            '{"l": [{{#x}}"{{.}}",{{/x}}]}',
            {"x": ["a"]},
            "with these values, it is not JSON: Expecting value (line 1, column 12)",
        ),
    ],
)
def test_values_that_make_it_no_json_are_an_error_with_its_place(arguments: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidVariables) as refused:
        call(arguments, values)
    assert [(error.path, error.message) for error in refused.value.field_errors] == [(PLACE, message)]


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "no json",
        '{"a": }',
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": 1},',
        '{"a": "line\nbreak"}',
        "city={{x}}",
        '{"a": "{{x}}}',
        '{"a": {{x}}{{y}}}',
        '{"a": 1{{x}}}',
        '{"a": "b"{{x}}}',
        '{"a": 1, {{x}}}',
        '{"a": "\\{{x}}"}',
        '{"a": "\\u00{{x}}"}',
        '{"a": {{#x}}1,{{/x}}{{^x}}2,{{/x}}}',
    ],
)
def test_arguments_that_can_never_be_json_are_refused_with_their_place(arguments: str) -> None:
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(content(arguments))
    ((path, message),) = [(error.path, error.message) for error in refused.value.field_errors]
    assert path == PLACE
    assert message.startswith(("is not JSON: ", "has a member twice", "has a backslash"))


@pytest.mark.parametrize(
    "arguments",
    [
        "{}",
        '{"a": 1e400, "b": -0}',
        '{"a": "\\\\{{x}}", "b": "\\n{{x}}", "c": "\\u00e5{{x}}"}',
        '{{#a}}{"x": 1}{{/a}}{{^a}}{}{{/a}}',
        '{{#a}}{"x": 1}{{/a}}{{#b}}{"y": 1}{{/b}}',
        '{"l": [{{#x}}"{{.}}",{{/x}}]}',
    ],
)
def test_arguments_that_some_values_make_json_are_taken(arguments: str) -> None:
    assert validate_content(content(arguments))


def test_an_unknown_partial_is_checked_when_the_registry_knows_it() -> None:
    assert validate_content(content('{"a": {{> p}}}'), resolved=False)
    with pytest.raises(InvalidPrompt):
        validate_content(content('{"a": {{> p}}}', partials={"p": "no json"}))
    assert validate_content(content('{"a": "{{> p}}"}', partials={"p": "no json"}))


def test_partials_in_partials_are_not_followed_without_an_end() -> None:
    partials = {f"p{level}": f"{{{{> p{level + 1}}}}}" * 10 for level in range(30)} | {"p30": "1,"}
    validate_content(content("[{{> p0}} 1]", partials=partials))


def test_arguments_after_a_million_characters_of_them_are_not_tried() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[{{> p}} 1]"}}
    wrong = {"id": "d", "type": "function", "function": {"name": "f", "arguments": "[{{x}}"}}
    template = [{"role": "assistant", "tool_calls": [*({**call, "id": f"c{number}"} for number in range(6)), wrong]}]
    body = {"type": "chat", "template": template, "partials": {"p": "1," * 100_000}}
    validate_content(Content.model_validate(body))
    with pytest.raises(InvalidPrompt, match="is not JSON"):
        validate_content(Content.model_validate({**body, "partials": {"p": "1,"}}))


def test_a_literal_of_an_old_version_goes_on_rendering_as_it_is() -> None:
    assert old_call("no json", {}) == "no json"
    assert old_call('{"a": 1, "a": 2}', {}) == '{"a": 1, "a": 2}'


@pytest.mark.parametrize("arguments", ['{"a": "\\{{x}}"}', '{"a": 1{{x}}}'])
def test_a_value_cannot_extend_the_json_of_an_old_version(arguments: str) -> None:
    with pytest.raises(InvalidVariables):
        old_call(arguments, {"x": '", "admin": "'})


@given(st.text() | st.none() | st.booleans() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()))
def test_no_value_changes_the_shape(value: Any) -> None:
    read = json.loads(call('{"a": {{x}}, "b": ["{{x}}", "\\\\{{x}}"]}', {"x": value}))
    assert list(read) == ["a", "b"]
    assert read["a"] == value
    assert len(read["b"]) == 2
