import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt, InvalidVariables
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.simple import parse
from promptuary.prompt.templates.tree import Literal, Tag
from promptuary.prompt.text import refused_character

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*"


def simple(template: Any, **more: Any) -> PreparedPrompt:
    kind = "text" if isinstance(template, str) else "chat"
    return prepare(Content.model_validate({"type": kind, "template": template, "format": "simple", **more}))


def test_a_name_in_double_braces_is_a_variable_with_or_without_spaces() -> None:
    assert parse("Hi {{name}},\n{{ name }}{{\tx_1\n}}") == (
        Literal("Hi "),
        Tag("name"),
        Literal(",\n"),
        Tag("name"),
        Tag("x_1"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{{{"key": "value"}}}',
        '{{"key": "value"}}',
        '{{ "key": "value" }}',
        "{a} }{ {{ }} {{}} {{{}}} {{a }b}} {{a",
        "}}a{{",
        "{{#x}}a{{/x}} {{^x}}b{{/x}}",
        "{{> a}} {{! a}} {{&a}} {{=<% %>=}}",
        "{% if x %}y{% endif %} {# c #} ${x} $x %s",
        "{{a b}} {{a|upper}} {{a-b}} {{1a}} {{a.}} {{.a}} {{a..b}} {{a.0}} {{.}} {{größe}}",
        "{{#if a}}b{{/if}} {{#each a}}{{/each}}",
        "@@@langfusePrompt:name=a|label=production@@@",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    prepared = simple(text)
    assert not prepared.variables
    assert prepared.render({}).text == text


def test_a_value_can_stand_between_braces_and_inside_json() -> None:
    assert simple("{{{name}}}").render({"name": "Ana"}).text == "{Ana}"
    assert simple('{"a": {{a}}, "b": {"c": {{b}}}}').render({"a": 1, "b": [True, None]}).text == (
        '{"a": 1, "b": {"c": [true, null]}}'
    )


def test_a_dot_is_a_part_of_the_name_and_leads_into_nothing() -> None:
    prepared = simple("{{user.name}} {{user}}", variables={"user.name": {"type": "string"}})
    assert set(prepared.variables) == {"user.name", "user"}
    assert prepared.render({"user.name": "Ana", "user": {"name": "Bo"}}).text == 'Ana {"name": "Bo"}'


def test_a_value_is_not_read_as_a_template() -> None:
    assert simple("{{x}}{{y}}").render({"x": "{{y}}", "y": "\\1 {{x}}"}).text == "{{y}}\\1 {{x}}"


def test_missing_and_unknown_values_are_refused_as_in_other_formats() -> None:
    prepared = simple("{{a}} {{b}} {{c}}", variables={"b": {"required": False}, "c": {"default": "d"}})
    assert prepared.render({"a": None}).text == "  d"
    with pytest.raises(InvalidVariables) as raised:
        prepared.render({"x": 1})
    assert list(raised.value.field_errors) == [
        FieldError("x", "is not a variable of this prompt"),
        FieldError("a", "is required and has no value"),
    ]


def test_a_declared_variable_that_is_not_in_the_text_is_refused() -> None:
    with pytest.raises(InvalidPrompt) as raised:
        simple("{{#a}}", variables={"a": {}})
    assert list(raised.value.field_errors) == [FieldError("variables.a", "is declared, but the prompt never uses it")]


def test_a_chat_in_the_simple_format_takes_placeholders_and_passages() -> None:
    prepared = simple(
        [
            {"role": "system", "content": 'Answer as {"label": "{{label}}"}. Known: {{passages}}'},
            {"role": "placeholder", "name": "history"},
            {"role": "user", "content": "{{#question}}"},
        ],
        context={"collection": "c", "query": "about {{label}}", "into": "passages"},
    )
    assert set(prepared.variables) == {"label", "history"}
    rendered = prepared.render({"label": "pin", "history": [{"role": "user", "content": "{{label}}"}]})
    assert [message["content"] for message in rendered.messages or ()] == [
        'Answer as {"label": "pin"}. Known: ',
        "{{label}}",
        "{{#question}}",
    ]


pieces = st.sampled_from(
    ["{", "}", "{{", "}}", "a", "b.c", "_1", " ", "\n", "\u00a0", "#", "é", '"', "{{a}}", "{{ b.c }}", "\\"]
)
texts = st.one_of(st.lists(pieces).map("".join), st.text().filter(lambda text: refused_character(text) is None))


@given(texts, st.dictionaries(st.sampled_from(["a", "b.c", "_1"]), texts))
@example("{{{{a}}}}", {"a": "{{b.c}}"})
def test_a_render_is_a_substitution_by_a_regular_expression(template: str, values: dict[str, str]) -> None:
    names = {match.group(1) for match in re.finditer(r"\{\{\s*(" + NAME + r")\s*\}\}", template)}
    given_values = {name: values.get(name, name) for name in names}
    expected = re.sub(r"\{\{\s*(" + NAME + r")\s*\}\}", lambda match: given_values[match.group(1)], template)
    prepared = simple(template)
    assert set(prepared.variables) == names
    assert prepared.render(given_values).text == expected


def test_names_are_read_as_mlflow_reads_them() -> None:
    from mlflow.prompt.constants import PROMPT_TEMPLATE_VARIABLE_PATTERN

    text = "{{a}} {{ a.b }} {{{c}}} {{d e}} {{{{f}} {{\n g \t}} {{1}} {{h-i}} {{größe}} {{j}} }} {k}"
    assert [node.name for node in parse(text) if isinstance(node, Tag)] == PROMPT_TEMPLATE_VARIABLE_PATTERN.findall(text)


@given(st.lists(st.sampled_from(["x ", "{{a}}", "{{ b.c }}", "{", "}", '{"k": 1}', '{{ "k": 1 }}', "{% x %}"])).map(" ".join))
def test_a_text_renders_as_with_the_langfuse_sdk(template: str) -> None:
    from langfuse.model import TemplateParser

    values = {"a": "A", "b.c": "{{a}}"}
    prepared = simple(template)
    rendered = prepared.render({name: values[name] for name in prepared.variables}).text
    assert rendered == TemplateParser.compile_template(template, values)
