"""Paths that lead nowhere by the declarations are refused when they are registered, and only then."""

import re
from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.templates.preparation import prepare

TEXT = {"type": "string"}
ITEM = {"type": "object", "properties": {"a": TEXT, "o": {"type": "string", "required": False}}}
VARIABLES: dict[str, Any] = {"t": TEXT, "o": ITEM, "l": {"type": "array", "items": ITEM}, "n": {"type": "number"}}


def content(template: str, format_: str, **more: Any) -> Content:
    used = re.findall(r"\w+", template)
    variables = {name: schema for name, schema in VARIABLES.items() if name in used}
    return Content.model_validate({"type": "text", "template": template, "format": format_, "variables": variables, **more})


@pytest.mark.parametrize(
    ("format_", "template", "message"),
    [
        ("mustache", "\n{{t.b}}", "'t.b' has no value: 't' is declared as string"),
        ("mustache", "{{#t.b}}x{{/t.b}}", "'t.b' has no value: 't' is declared as string"),
        ("mustache", "{{n.b}}", "'n.b' has no value: 'n' is declared as number"),
        ("mustache", "{{o.zz}}", "'o.zz' has no value: 'o' is declared with the members a, o: add 'zz'"),
        ("mustache", "{{l.a}}", "'l.a' has no value: 'l' is declared as array"),
        ("mustache", "{{l.0.zz}}", "'l.0.zz' has no value: 'l.0' is declared with the members a, o"),
        ("mustache", "{{#l}}{{a.b}}{{/l}}", "'a.b' has no value: 'a' is declared as string"),
        ("jinja2", "{{ t.b }}", "'t.b' has no value: 't' is declared as string"),
        ("jinja2", "{{ o['zz']|upper }}", "'o.zz' has no value: 'o' is declared with the members a, o"),
        ("jinja2", "{% if o.zz %}x{% endif %}", "'o.zz' has no value: 'o' is declared with the members a, o"),
        ("jinja2", "{% for i in l %}{{ i.zz }}{% endfor %}", "'i.zz' has no value: 'i' is declared with the members a, o"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_its_line(format_: str, template: str, message: str) -> None:
    body = content(template, format_)
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(body, jinja2=True)
    (error,) = refused.value.field_errors
    assert error.path == "template"
    assert error.message.startswith(message)
    assert error.message.endswith(f"(line {1 + template.count(chr(10))} of the template)")
    assert prepare(body, jinja2=True)  # as a version of an earlier release


def test_a_path_in_a_partial_is_refused_with_the_name_of_the_partial() -> None:
    with pytest.raises(InvalidPrompt) as refused:
        validate_content(content("{{#l}}{{> p}}{{/l}}", "mustache", partials={"p": "{{a}}{{a.b}}"}))
    assert [str(error).endswith("(line 1 of the partial 'p')") for error in refused.value.field_errors] == [True]


@pytest.mark.parametrize(
    ("format_", "template"),
    [
        ("mustache", "{{o.a}}{{#o}}{{a}}{{/o}}{{l.0.a}}{{#l}}{{a}}{{/l}}"),
        ("mustache", "{{#unknown}}{{t.b}}{{/unknown}}{{t}}"),
        ("mustache", "{{unknown.b.c}}"),
        ("mustache", "{{#l}}{{o}}{{/l}}{{#o}}{{/o}}{{#t}}{{.}}{{/t}}"),
        ("jinja2", "{{ t[0] }}{{ l[0].a }}{{ o['a'] }}{{ l|length }}"),
        ("jinja2", "{% if o.zz is defined %}x{% endif %}{{ o.zz|default('x') }}"),
        ("jinja2", "{% for k, v in o|items %}{{ k.x }}{{ loop.index }}{% endfor %}"),
    ],
)
def test_a_path_that_may_lead_to_a_value_is_taken(format_: str, template: str) -> None:
    assert validate_content(content(template, format_), jinja2=True)


def test_only_so_many_nodes_of_partials_are_visited() -> None:
    def body(tags: int) -> Content:
        return content(
            "{{> p}}" * 30 + "{{> q}}", "mustache", partials={"p": "{{a}}" * tags, "q": "{{t.b}}"}, variables={"t": TEXT}
        )

    validate_content(body(10_000))
    with pytest.raises(InvalidPrompt, match=r"'t\.b' has no value"):
        validate_content(body(10))


def test_passages_are_paths_in_sections_alone() -> None:
    context = {"collection": "c", "query": "q", "into": "found"}
    assert validate_content(content("{{#found}}{{text}}{{metadata.x}}{{/found}}", "mustache", context=context))
    with pytest.raises(InvalidPrompt, match=r"'text\.x' has no value"):
        validate_content(content("{{#found}}{{text.x}}{{/found}}", "mustache", context=context))
