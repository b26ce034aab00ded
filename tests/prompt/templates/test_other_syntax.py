"""Handlebars, Jinja and JSON in mustache templates: the error states what to write instead, with line and column."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.templates.preparation import prepare


def text(template: str, **more: Any) -> Content:
    return Content.model_validate({"type": "text", "template": template, **more})


def refusal(content: Content) -> str:
    with pytest.raises(InvalidPrompt) as raised:
        validate_content(content)
    (error,) = raised.value.field_errors
    return f"{error.path}: {error.message}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            "{{#if a}}b{{/if}}",
            "'if a' is not a name; mustache has no 'if': write {{#a}} … {{/a}}, and {{^a}} … {{/a}} for the other case "
            "(line 1, column 1 of the template)",
        ),
        (
            "x\n y {{#unless user.vip}}",
            "'unless user.vip' is not a name; mustache has no 'unless': write {{^user.vip}} … {{/user.vip}} "
            "(line 2, column 4 of the template)",
        ),
        (
            "{{#each items}}",
            "'each items' is not a name; mustache has no 'each': write {{#items}} … {{/items}}, and {{.}} for the item "
            "(line 1, column 1 of the template)",
        ),
        (
            "{{#if (eq a 1)}}",
            "'if (eq a 1)' is not a name; mustache has no 'if': write {{#name}} … {{/name}}, and {{^name}} … {{/name}} for the "
            "other case (line 1, column 1 of the template)",
        ),
        (
            "{{#a}}x{{/if}}",
            "'if' is closed but was not opened; 'a' is open; a section is closed by its own name "
            "(line 1, column 8 of the template)",
        ),
        (
            "{{ x | upper }}",
            "'x | upper' is not a name; mustache has no filters: pass the value as it is to be shown, or use the format jinja2 "
            "(line 1, column 1 of the template)",
        ),
        (
            "{{x|upper}}",
            "'x|upper' is no name of a value; mustache has no filters: pass the value as it is to be shown, or use the format "
            "jinja2 (line 1 of the template)",
        ),
        (
            "{{ a + 1 }}",
            "'a + 1' is not a name; mustache has no expressions: pass the value itself, or use the format jinja2 "
            "(line 1, column 1 of the template)",
        ),
        (
            "\n{{a()}}",
            "'a()' is no name of a value; mustache has no expressions: pass the value itself, or use the format jinja2 "
            "(line 2 of the template)",
        ),
        (
            '{"a": {{"b": 1}}}',
            "'\"b\": 1' is not a name; braces that are text need the format simple, or other delimiters, as in {{=<% %>=}} "
            "(line 1, column 7 of the template)",
        ),
        ("{{items[0].name}}", "'items[0].name' is no name of a value; write {{items.0.name}} (line 1 of the template)"),
        (
            "{{#a}}x{{else}}y{{/a}}",
            "'else' is no name of a value; mustache has no 'else': close the section, and write {{^name}} … {{/name}} for the "
            "other case (line 1 of the template)",
        ),
        (
            "{{#a}}{{this.b}}{{/a}}",
            "'this.b' is no name of a value; write {{b}} for a member of the item (line 1 of the template)",
        ),
        ("{{#a}}{{this}}{{/a}}", "'this' is no name of a value; write {{.}} for the item (line 1 of the template)"),
        (
            "{{#a}}{{@index}}{{/a}}",
            "'@index' is no name of a value; mustache has no names with '@', such as an item's number: pass it as a member of "
            "the item (line 1 of the template)",
        ),
    ],
)
def test_a_tag_of_another_language_is_refused_with_what_to_write(template: str, expected: str) -> None:
    assert refusal(text(template)) == f"template: {expected}"


def test_the_error_names_the_message() -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "{{x|upper}}"}]}]
    chat = Content.model_validate({"type": "chat", "template": messages})
    assert refusal(chat).startswith("template.1.content.0.text: 'x|upper' is no name of a value")


@pytest.mark.parametrize("name", ["else", "x|upper", "a()", "first-name", "größe", "a:b", "$x", "this"])
def test_a_name_that_is_declared_is_taken_as_it_is(name: str) -> None:
    content = text(f"{{{{{name}}}}}{{{{#s}}}}{{{{{name}}}}}{{{{/s}}}}", variables={name: {"type": "string"}})
    assert validate_content(content).render({name: "x", "s": True}).text == "xx"


@pytest.mark.parametrize("template", ["{{first-name}} {{größe}} {{a:b}} {{$x}} {{this}}", "{% if x %}", "${x} {x} %s [x]"])
def test_what_is_a_name_or_a_text_in_mustache_stays_one(template: str) -> None:
    validate_content(text(template))


def test_a_registered_version_with_such_a_name_is_rendered_as_before() -> None:
    assert prepare(text("{{x|upper}} {{else}}")).render({"x|upper": "a", "else": "b"}).text == "a b"


def test_the_simple_format_takes_all_of_it_as_text() -> None:
    content = text('{{#if a}}b{{/if}} {{ x | upper }} {{"b": 1}}', format="simple")
    assert validate_content(content).render({}).text == content.template
