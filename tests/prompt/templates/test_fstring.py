from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.templates.fstring import parse
from promptuary.prompt.templates.rendering import render
from promptuary.prompt.templates.tree import Literal, Tag


def rendered(template: str, values: dict[str, Any]) -> str:
    return render(parse(template), values, limit=10_000)


def test_names_in_single_braces_are_values_and_doubled_braces_are_braces() -> None:
    assert parse("a {x}{{y}}") == (Literal("a "), Tag("x"), Literal("{"), Literal("y"), Literal("}"))
    assert rendered('{{"name": "{name}"}}', {"name": "Ana"}) == '{"name": "Ana"}'


def test_a_value_is_not_read_as_a_template() -> None:
    assert rendered("{x}", {"x": "{y} {{z}} {{#s}}"}) == "{y} {{z}} {{#s}}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{a.__class__}", "'{a.__class__}' is not a name (line 1, column 1 of the template)"),
        ("{a[0]}", "'{a[0]}' is not a name (line 1, column 1 of the template)"),
        ("{x!r:>9999}", "'{x!r:>9999}' is not a name (line 1, column 1 of the template)"),
        ("{x:>9999}", "'{x:>9999}' is not a name (line 1, column 1 of the template)"),
        ("{0}", "'{0}' is not a name (line 1, column 1 of the template)"),
        ("{}", "'{}' is not a name (line 1, column 1 of the template)"),
        ("{ x }", "'{ x }' is not a name (line 1, column 1 of the template)"),
        ("{x\n}", "'{x\n}' is not a name (line 1, column 1 of the template)"),
        ("a\nb {", "a lone '{' (write '{{') (line 2, column 3 of the template)"),
        ("a } b", "a lone '}' (write '}}') (line 1, column 3 of the template)"),
        ("{a{b}}", "a lone '{' (write '{{') (line 1, column 1 of the template)"),
    ],
)
def test_what_is_no_plain_name_is_refused_with_its_line(template: str, words: str) -> None:
    with pytest.raises(InvalidPrompt) as raised:
        parse(template, "template")
    assert [(error.path, error.message) for error in raised.value.field_errors] == [("template", words)]


@given(st.text(alphabet=st.one_of(st.sampled_from("{}\n a"), st.characters(codec="utf-8")), max_size=60))
def test_any_text_with_its_braces_doubled_renders_as_itself(text: str) -> None:
    assert rendered(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(st.text(alphabet="{}ab!:[].\n", max_size=30))
def test_any_text_is_parsed_or_refused_in_our_words(text: str) -> None:
    try:
        nodes = parse(text)
    except InvalidPrompt:
        return
    assert all(isinstance(node, Literal) or node.name.isidentifier() for node in nodes)
