"""The lookups that a new version adds: which of them may fail with values that the old version accepted."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.diff.contents import compare_contents
from promptuary.prompt.diff.lookups import fallible_lookups
from promptuary.prompt.templates.preparation import prepare

OBJECT = {"type": "object", "properties": {"b": {"type": "string"}, "c": {"required": False}}}


def text(template: str, **more: Any) -> Content:
    return Content.model_validate({"type": "text", "template": template, **more})


def fallible(content: Content) -> set[str]:
    return {str(lookup) for lookup in fallible_lookups(prepare(content, jinja2=True))}


def reasons(before: Content, after: Content) -> dict[str, str]:
    diff = compare_contents(before, after, jinja2=True)
    return {change.path: change.why for change in diff.changes if change.why is not None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (text("{{a}} {{#b}}x{{/b}} {{^c}}y{{/c}}"), set()),
        (text("{{a.b}} {{#c.d}}{{e}}{{/c.d}}"), {"'a.b'", "'c.d'", "'e' in the section 'c.d'"}),
        (text("{{#a}}{{b}}{{#c}}{{.}}{{/c}}{{/a}}", variables={"b": {"required": False}}), set()),
        (text("{{a.b}}{{a.c}}{{a.d}}", variables={"a": OBJECT}), {"'a.d'"}),
        (text("{{#l}}{{b}}{{c}}{{d}}{{/l}}", variables={"l": {"type": "array", "items": OBJECT}}), {"'d' in the section 'l'"}),
        (text("{{l.0.b}}", variables={"l": {"type": "array", "items": OBJECT}}), {"'l.0.b'"}),
        (text("{{#x}}{{a.b}}{{/x}}", variables={"a": OBJECT}), {"'a.b' in the section 'x'"}),
        (text("{{#x}}{{> p}}{{/x}}", partials={"p": "{{a}}{{> p}}"}), {"'a' in the section 'x'"}),
        (text("{% if a %}{{ a }}{{ b }}{% endif %}", format="jinja2"), {"'b' in a condition or a loop"}),
        (text("{{a.b}}", format="simple"), set()),
        (
            text("{{#p}}{{text}}{{metadata.x}}{{d}}{{/p}}", context={"collection": "c", "query": "{{q.r}}", "into": "p"}),
            {"'d' in the section 'p'", "'q.r'"},
        ),
    ],
)
def test_lookups_may_fail_unless_the_declarations_say_otherwise(content: Content, expected: set[str]) -> None:
    assert fallible(content) == expected


def test_a_new_name_in_a_section_is_breaking() -> None:
    before, after = text("{{#vip}}Welcome{{/vip}}"), text("{{#vip}}Offer {{discount}}{{/vip}}")
    assert reasons(before, after) == {
        "variables.discount": "the template uses 'discount' in the section 'vip', and a render that needs it is refused "
        "without a value"
    }
    optional = text("{{#vip}}Offer {{discount}}{{/vip}}", variables={"discount": {"required": False}})
    assert reasons(before, optional) == reasons(after, after) == {}


def test_a_new_path_is_breaking_and_one_that_was_there_is_not() -> None:
    why = "the template now reads 'a.b', which values that were accepted may not have"
    assert reasons(text("{{a}}"), text("{{a.b}}")) == {"variables.a": why}
    assert reasons(text("{{a.b}}"), text("{{a}} {{a.b}}!")) == {}
    assert reasons(text("{{#l}}x{{/l}}"), text("{{#l}}{{0}}{{/l}}")) == {
        "template": "the template now reads '0' in the section 'l', which values that were accepted may not have"
    }


def test_a_mandatory_variable_that_moves_into_a_section_is_not_breaking() -> None:
    assert reasons(text("{{a}}{{#b}}{{/b}}"), text("{{#b}}{{a}}{{/b}}")) == {}


def test_includes_that_double_are_compared_up_to_a_limit() -> None:
    partials = {f"p{number}": f"{{{{> p{number + 1}}}}}" * 2 for number in range(30)} | {"p30": "{{a.b}}"}
    assert fallible(text("{{> p0}}", partials=partials)) <= {"'a.b'"}
