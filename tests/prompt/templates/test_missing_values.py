"""Names and paths without a value: where they are optional, where they are errors, and what the errors contain."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt

OFFER = "Hi {{name}}. {{#vip}}Offer {{discount}}.{{/vip}}"


def text(template: str, **more: Any) -> PreparedPrompt:
    return prepare(Content.model_validate({"type": "text", "template": template, **more}), jinja2=True)


def required(prepared: PreparedPrompt) -> dict[str, bool]:
    return {name: variable.required for name, variable in prepared.variables.items()}


def errors(prepared: PreparedPrompt, values: dict[str, Any], passages: list[Passage] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InvalidVariables) as raised:
        prepared.render(values, passages or [])
    return [(error.path, error.message) for error in raised.value.field_errors]


# --- names that only a part of the template uses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "template", "partials", "values", "expected"),
    [
        ("mustache", OFFER, {}, {"name": "Ana", "vip": True, "discount": "10%"}, "Hi Ana. Offer 10%."),
        ("mustache", OFFER, {}, {"name": "Ana", "discount": "10%"}, "Hi Ana. "),
        ("mustache", "{{^vip}}{{reason}}{{/vip}}", {}, {"reason": "new"}, "new"),
        ("mustache", "{{#l}}{{x}}{{unit}} {{/l}}", {}, {"l": [{"x": 1}, {"x": 2, "unit": "g"}], "unit": "kg"}, "1kg 2g "),
        ("mustache", "{{#l}}{{.}}{{unit.short}} {{/l}}", {}, {"l": [1, 2], "unit": {"short": "kg"}}, "1kg 2kg "),
        ("mustache", "{{#a}}{{#b}}{{c}}{{/b}}{{/a}}", {}, {"a": True, "b": [1, 2], "c": "x"}, "xx"),
        ("mustache", "{{#a}}{{> p}}{{/a}}", {"p": "{{b}}{{^c}}{{d}}{{/c}}"}, {"a": 1, "b": "x", "d": "y"}, "xy"),
        ("mustache", "{{> p}}", {"p": "{{#a}}{{b}}{{/a}}"}, {"a": 1, "b": "x"}, "x"),
        ("jinja2", "{% if vip %}{{ discount }}{% endif %}", {}, {"vip": True, "discount": 5}, "5"),
        ("jinja2", "{% if vip %}x{% else %}{{ reason|upper }}{% endif %}", {}, {"reason": "new"}, "NEW"),
        ("jinja2", "{% for i in l %}{{ i.x }}{{ unit }} {% endfor %}", {}, {"l": [{"x": 1}], "unit": "kg"}, "1kg "),
        ("jinja2", "{{ discount.value if vip }}", {}, {"vip": True, "discount": {"value": 3}}, "3"),
    ],
)
def test_a_name_inside_a_section_is_an_optional_variable_that_may_be_given(
    format_: str, template: str, partials: dict[str, str], values: dict[str, Any], expected: str
) -> None:
    prepared = text(template, format=format_, partials=partials)
    assert prepared.render(values).text == expected
    optional = {name for name, is_required in required(prepared).items() if not is_required}
    assert values.keys() - {"name"} <= optional


@pytest.mark.parametrize(
    ("format_", "template", "values", "expected"),
    [
        ("mustache", OFFER, {"name": "A", "vip": True}, "discount: has no value, and the section 'vip' uses it (line 1 of"),
        ("mustache", "\n{{^vip}}{{a}}{{/vip}}", {}, "a: has no value, and the section 'vip' uses it (line 2 of"),
        (
            "mustache",
            "{{#l}}\n{{x}}{{unit}}{{/l}}",
            {"l": [{"x": 1, "unit": "g"}, {"x": 2}]},
            "unit: has no value, and the section 'l' uses it, and its item has no such member (line 2 of",
        ),
        ("mustache", "{{#a}}{{b.c}}{{/a}}", {"a": True}, "b: has no value, and the section 'a' uses it (line 1 of"),
        ("jinja2", "{% if vip %}\n{{ discount }}{% endif %}", {"vip": 1}, "discount: has no value (line 2 of"),
        ("jinja2", "{% if vip %}{{ a|upper }}{% endif %}", {"vip": 1}, "a: 'a' has no value (line 1 of"),
        ("jinja2", "{% for i in l %}{{ i ~ unit }}{% endfor %}", {"l": [1]}, "unit: 'unit' has no value (line 1 of"),
        ("jinja2", "{% if a %}x{% else %}{{ a }}{% endif %}", {}, "a: has no value (line 1 of"),
    ],
)
def test_one_that_is_missing_where_its_section_is_rendered_is_an_error(
    format_: str, template: str, values: dict[str, Any], expected: str
) -> None:
    ((path, message),) = errors(text(template, format=format_), values)
    assert f"{path}: {message}" == f"{expected} the template)"


@pytest.mark.parametrize(
    ("format_", "template"),
    [
        ("mustache", OFFER),
        ("mustache", "Hi {{name}}. {{#vip}}Offer {{discount.value}}.{{/vip}}"),
        ("jinja2", "Hi {{ name }}. {% if vip %}Offer {{ discount }}.{% endif %}"),
        ("jinja2", "Hi {{ name }}. {% if vip %}Offer {{ discount|upper ~ discount }}.{% endif %}"),
    ],
)
def test_a_variable_that_is_declared_optional_is_empty_where_it_is_missing(format_: str, template: str) -> None:
    prepared = text(template, format=format_, variables={"discount": {"required": False}})
    assert prepared.render({"name": "Ana", "vip": True}).text == "Hi Ana. Offer ."


def test_a_name_that_is_used_outside_of_sections_too_is_required() -> None:
    assert required(text("{{a}}{{#b}}{{a}}{{c}}{{/b}}")) == {"a": True, "b": False, "c": False}


def test_declared_members_of_items_are_no_variables_of_the_prompt() -> None:
    item = {"type": "object", "properties": {"title": {"type": "string"}, "note": {"type": "string", "required": False}}}
    prepared = text("{{#items}}{{title}}{{note}}{{unit}};{{/items}}", variables={"items": {"type": "array", "items": item}})
    assert required(prepared) == {"items": True, "unit": False}
    assert prepared.render({"items": [{"title": "a", "note": "!"}, {"title": "b"}], "unit": "kg"}).text == "a!kg;bkg;"


def test_a_position_in_an_item_is_no_variable_of_the_prompt() -> None:
    prepared = text("{{#rows}}{{0}}={{1.k}};{{/rows}}")
    assert required(prepared) == {"rows": False}
    assert prepared.render({"rows": [["a", {"k": 1}], ["b", {"k": 2}]]}).text == "a=1;b=2;"


def test_passages_lend_their_members_and_everything_else_is_a_variable() -> None:
    context = {"collection": "c", "query": "{{q}}", "into": "found"}
    prepared = text("{{#found}}{{text}} {{metadata.url}}{{unit}};{{/found}}", context=context)
    assert required(prepared) == {"q": True, "unit": False}
    passages = [Passage("p", 0.5, "c", "d", 0, "sha256:0", {"url": "u"}), Passage("q", 0.5, "c", "d", 0, "sha256:0", {})]
    assert prepared.render({"q": "x", "unit": "!"}, passages).text == "p u!;q !;"
    assert errors(prepared, {"q": "x"}, passages)[0][0] == "unit"


def test_a_name_in_the_turns_of_passages_is_a_variable_that_may_be_given() -> None:
    template = [{"role": "placeholder", "name": "found"}, {"role": "user", "content": "go"}]
    turns = [{"role": "user", "content": "{{text}} in {{lang}}{{metadata.url}}"}]
    context = {"collection": "c", "query": "x", "into": "found", "turns": turns}
    prepared = prepare(Content.model_validate({"type": "chat", "template": template, "context": context}))
    passage = Passage("p", 0.5, "c", "d", 0, "sha256:0", {})
    assert required(prepared) == {"lang": False}
    assert (prepared.render({"lang": "en"}, [passage]).messages or ())[0]["content"] == "p in en"
    assert prepared.render({}).messages
    assert errors(prepared, {}, [passage]) == [("lang", "has no value (line 1 of context.turns.0.content)")]


# --- paths --------------------------------------------------------------------------------------------------------------

PEOPLE = {
    "people": [{"name": "Ana", "tags": ["a", "b"]}, {"name": "Bo"}],
    "s": "Ana",
    "n": 5,
    "none": None,
    "o": {"k": 1},
    "l": [],
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{people.0.name}}, {{people.1.name}}", "Ana, Bo"),
        ("{{people.0.tags.1}}", "b"),
        ("{{people.00.name}}", "Ana"),
        ("{{#people.0}}{{name}}{{tags.0}}{{/people.0}}", "Anaa"),
        ("{{#people.0.tags}}{{.}}{{/people.0.tags}}", "ab"),
        ("{{#people}}{{#tags.0}}<{{name}}>{{/tags.0}}{{^tags}}({{name}}){{/tags}}{{/people}}", "<Ana>(Bo)"),
        ("{{#people.7}}x{{/people.7}}{{^people.7}}nobody{{/people.7}}", "nobody"),
        ("{{#o.x}}x{{/o.x}}{{^o.x.y}}nothing{{/o.x.y}}{{#none.x}}x{{/none.x}}", "nothing"),
    ],
)
def test_a_path_leads_through_objects_and_by_number_through_lists(template: str, expected: str) -> None:
    prepared = text(template)
    assert prepared.render({name: PEOPLE[name] for name in prepared.variables if name in PEOPLE}).text == expected


@pytest.mark.parametrize(
    ("template", "path", "message"),
    [
        ("a\n{{people.2.name}}", "people.2", "'people' is a list of 2, so it has no item 2; the first is item 0 (line 2"),
        ("{{l.0.name}}", "l.0", "'l' is an empty list, so it has no item 0 (line 1"),
        ("{{people.-1.name}}", "people.-1", "'people' is a list of 2: '-1' is no item of it; write a section, or a"),
        ("{{people.name}}", "people.name", "'people' is a list of 2: 'name' is no item of it; write a section, or a number as"),
        ("{{people.1.nme}}", "people.1.nme", "'people.1' is an object without 'nme'; it has name (line 1"),
        ("{{s.first}}", "s.first", "'s' is a text, so it has no 'first' (line 1"),
        ("{{s.0}}", "s.0", "'s' is a text, so it has no '0' (line 1"),
        ("{{n.value}}", "n.value", "'n' is a number, so it has no 'value' (line 1"),
        ("{{none.a}}", "none.a", "'none' is null, so it has no 'a' (line 1"),
        ("{{o.k.x.y}}", "o.k.x", "'o.k' is a number, so it has no 'x' (line 1"),
        ("{{#s.first}}x{{/s.first}}", "s.first", "'s' is a text, so it has no 'first' (line 1"),
        ("{{^people.name}}x{{/people.name}}", "people.name", "'people' is a list of 2: 'name' is no item of it"),
        ("{{#people}}{{tags.0}}{{/people}}", "tags", "has no value, and the section 'people' uses it, and its item has no"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_that_says_what_is_there(template: str, path: str, message: str) -> None:
    prepared = text(template)
    ((error_path, error_message),) = errors(prepared, {name: PEOPLE[name] for name in prepared.variables if name in PEOPLE})
    assert (error_path, error_message[: len(message)]) == (path, message)


@pytest.mark.parametrize(
    ("template", "path", "message"),
    [
        ("{{ o.x }}", "o", "'o' is an object without 'x'"),
        ("{{ people[0].x|upper }}", "people", "'people.0' is an object without 'x'"),
        ("{{ people[5] }}", "people", "'people' is a list of 2 without '5'"),
        ("{{ s.x ~ 'y' }}", "s", "'s' is a text without 'x'"),
        ("{% for p in people %}{{ p.tags|join }}{% endfor %}", "p", "'p' is an object without 'tags'"),
        ("{{ people|map(attribute='tags')|join }}", "people", "an item is an object without 'tags', which 'map' or 'join'"),
        ("{{ o.x|length }}", "o", "'o' is an object without 'x'"),
        ("{{ o[s] }}", "o", "'o' is an object without that item"),
    ],
)
def test_a_lookup_of_jinja_that_leads_nowhere_is_an_error_where_it_is_shown(template: str, path: str, message: str) -> None:
    prepared = text(template, format="jinja2")
    ((error_path, error_message),) = errors(prepared, {name: PEOPLE[name] for name in prepared.variables})
    assert (error_path, error_message[: len(message)]) == (path, message)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if o.x %}x{% else %}y{% endif %}{{ o.x is defined }}", "yfalse"),
        ("{{ o.x|default('d') }}{{ o.x or 'e' }}{{ o.x and 'f' }}{{ 'g' if o.x }}", "de"),
        ("{% for i in o.x %}{{ i }}{% else %}none{% endfor %}", "none"),
    ],
)
def test_a_lookup_of_jinja_that_is_only_asked_about_may_lead_nowhere(template: str, expected: str) -> None:
    assert text(template, format="jinja2").render({"o": {"k": 1}}).text == expected


@pytest.mark.parametrize("format_", ["mustache", "jinja2"])
def test_a_member_that_is_declared_optional_is_empty_where_it_is_missing(format_: str) -> None:
    member = {"type": "object", "properties": {"b": {"required": False}, "c": {"type": "object", "required": False}}}
    prepared = text("<{{ a.b }}>", format=format_, variables={"a": member})
    assert prepared.render({"a": {}}).text == "<>"
    assert prepared.render({"a": {"b": "x"}}).text == "<x>"


def test_an_error_beside_a_sensitive_variable_names_no_member() -> None:
    values = {"a": {"hunter2": 1}, "b": "x"}
    assert errors(text("{{a.x}}{{b}}"), values)[0][1].startswith("'a' is an object without 'x'; it has hunter2 (")
    redacted = text("{{a.x}}{{b}}", variables={"b": {"sensitive": True}})
    assert errors(redacted, values) == [("a.x", "'a' is an object without 'x' (line 1 of the template)")]
    address = {"a": {"ana@example.org": 1, "k" * 41: 2}, "b": "x"}
    assert errors(text("{{a.x}}{{b}}"), address) == [("a.x", "'a' is an object without 'x' (line 1 of the template)")]


def test_an_error_in_a_chat_and_in_an_included_prompt_names_the_place() -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "a\n{{o.x}}"}]
    chat = prepare(Content.model_validate({"type": "chat", "template": messages}))
    assert errors(chat, {"o": {}}) == [("o.x", "'o' is an object without 'x' (line 2 of template.1.content)")]
    included = text("a {{> tone}} {{o.y}}", partials={"tone": "b\n\n{{o.x}}"})
    assert errors(included, {"o": {}}) == [("o.x", "'o' is an object without 'x' (line 3 of 'tone')")]
    assert errors(included, {"o": {"x": 1}}) == [("o.y", "'o' is an object without 'y'; it has x (line 1 of the template)")]


# --- the same text as LangChain's renderer ------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "a.b", "b.a", "a.0", "b.1", "a.0.b", "a.b.1"])
leaves = st.text(alphabet="xyz {}", min_size=1, max_size=4)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, min_size=1),
    max_leaves=6,
)
bodies = st.recursive(
    st.lists(st.sampled_from(["x", "\n", " "]) | names.map(lambda name: "{{{" + name + "}}}"), max_size=3).map("".join),
    lambda inner: st.builds(
        lambda before, name, mark, body, after: f"{before}{{{{{mark}{name}}}}}{body}{{{{/{name}}}}}{after}",
        inner,
        names,
        st.sampled_from("#^"),
        inner,
        inner,
    ),
    max_leaves=4,
)


@given(bodies, st.fixed_dictionaries({"a": trees, "b": trees}))
@example("{{#a}}{{{b}}}{{/a}}", {"a": ["x", "y"], "b": "z"})
@example("{{{a.0.b}}}", {"a": [{"b": "x"}], "b": "y"})
def test_what_renders_here_renders_the_same_in_langchain(template: str, values: dict[str, Any]) -> None:
    """Texts in lists and objects, that is: LangChain shows a list as Python writes it, and escapes `{{a}}` as HTML."""
    from langchain_core.utils.mustache import render as langchain_render

    prepared = text(template)
    try:
        rendered = prepared.render({name: values[name] for name in prepared.variables}).text
    except InvalidVariables:
        return
    if any(mark in (rendered or "") for mark in ('"', "[")):
        return  # a list or an object, which LangChain shows otherwise
    assert rendered == langchain_render(template, values)


# --- partials and the names of values ---------------------------------------------------------------------------------------

TAG = {"type": "object", "properties": {"word": {}}}
ITEM = {"type": "object", "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": TAG}}}


@pytest.mark.parametrize(
    ("template", "partials"),
    [
        ("{{#items}}{{> row}}{{/items}}", {"row": "{{title}}"}),
        ("{{#items}}{{> row}}{{/items}}", {"row": "{{#title}}{{> cell}}{{/title}}", "cell": "{{title}}"}),
        ("{{#items}}{{> row}}{{/items}}", {"row": "{{title}}{{#tags}}{{> tag}}{{/tags}}", "tag": "{{title}}:{{word}}"}),
        ("{{> list}}", {"list": "{{#items}}{{> row}}{{/items}}", "row": "{{title}}"}),
    ],
)
def test_declared_members_are_no_variables_in_a_partial_either(template: str, partials: dict[str, str]) -> None:
    variables = {"items": {"type": "array", "items": ITEM}}
    assert list(text(template, partials=partials, variables=variables).variables) == ["items"]


def test_a_partial_that_is_also_used_outside_a_section_needs_its_names() -> None:
    variables = {"items": {"type": "array", "items": ITEM}}
    prepared = text("{{> row}}{{#items}}{{> row}}{{/items}}", partials={"row": "{{title}}"}, variables=variables)
    assert required(prepared) == {"items": True, "title": True}


def test_the_names_of_partials_in_themselves_end() -> None:
    row = "".join(f"{{{{#a{number}}}}}{{{{> row}}}}{{{{/a{number}}}}}" for number in range(40))
    member = {"type": "object", "properties": {"x": {}}}
    variables = {f"a{number}": {"type": "array", "items": member} for number in range(40)}
    assert len(text("{{> row}}", partials={"row": row}, variables=variables).variables) == 40


def test_all_values_at_once_are_shown_in_the_order_of_their_names() -> None:
    orders: list[dict[str, Any]] = [{"b": {}, "a": {"default": 1}}, {"a": {"default": 1}, "b": {}}]
    rendered = {text("{{.}}{{a}}{{b}}", variables=variables).render({"b": {"z": 1, "y": 2}}).text for variables in orders}
    assert rendered == {'{"a": 1, "b": {"z": 1, "y": 2}}1{"z": 1, "y": 2}'}
    assert text("{{.}}{{b}}{{a}}").render({"b": 2, "a": 1}).text == '{"a": 1, "b": 2}21'
