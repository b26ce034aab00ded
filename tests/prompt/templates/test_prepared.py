"""Prompts that are prepared once and rendered with the values of each call."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.prepared_prompts import HISTORY, USER, chat, field_errors, passage, text
from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables, PromptuaryError, RenderTooLarge
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt

# --- what fits together -------------------------------------------------------------------------------------------------


def test_variables_that_are_only_used_are_known_too() -> None:
    prepared = text("{{a}} {{#b}}{{c}}{{/b}} {{d.e}}", variables={"a": {"type": "string"}, "c": {}})
    assert {name: variable.required for name, variable in prepared.variables.items()} == {
        "a": True,
        "c": True,
        "d": True,
        "b": False,
    }


def test_a_placeholder_is_a_variable_of_type_array() -> None:
    assert chat(HISTORY, USER).variables["history"].type == "array"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"template": "{{a"}, [("template", "a tag opened with {{ is never closed (line 1, column 1 of the template)")]),
        (
            {"template": "x", "format": "jinja2"},
            [
                (
                    "format",
                    "jinja2 is off here; use mustache, simple or f-string, or have the operator set PROMPTUARY_JINJA2=true",
                )
            ],
        ),
        (
            {"template": "{a.b}", "format": "f-string"},
            [("template", "'{a.b}' is not a name (line 1, column 1 of the template)")],
        ),
        ({"template": "x", "variables": {"a": {}}}, [("variables.a", "is declared, but the prompt never uses it")]),
        ({"template": "{{> a}}"}, [("template", "{{> a}}: the prompt has no partial of that name")]),
        (
            {"template": "{{> a}}", "partials": {"a": "{{> b}}"}},
            [("template", "{{> b}}: the prompt has no partial of that name")],
        ),
        (
            {"template": "{{> a}}", "partials": {"a": "{{#b}}"}},
            [("partials.a", "section 'b' is never closed (line 1, column 1 of the template)")],
        ),
        (
            {"template": "{{a}}", "context": {"collection": "c", "query": "{{a}}", "into": "e"}},
            [("context.into", "nothing in the template is named 'e'")],
        ),
        (
            {"template": "{{e}}", "context": {"collection": "c", "query": "{{a", "into": "e"}},
            [("context.query", "a tag opened with {{ is never closed (line 1, column 1 of the template)")],
        ),
        (
            {"template": "{{e}}", "context": {"collection": "c", "query": "q", "into": "e"}, "variables": {"e": {}}},
            [("variables.e", "is filled by the context and cannot be a variable too")],
        ),
        (
            {"template": "x", "response_format": {"n": 2**64}},
            [
                (
                    "response_format",
                    "has a number beyond ±(2^53 − 1), or a text that is not Unicode: it has no one form in JSON",
                )
            ],
        ),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(body: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert field_errors(InvalidPrompt, lambda: prepare(Content.model_validate({"type": "text", **body}))) == expected


@pytest.mark.parametrize("default", ["hi", True, {}, [1], [{"role": "user"}]])
def test_the_default_of_a_placeholder_is_a_list_of_messages(default: Any) -> None:
    assert field_errors(InvalidPrompt, lambda: chat(HISTORY, USER, variables={"history": {"default": default}})) == [
        ("variables.history", "is a placeholder, so its default is a list of messages: {role, content}")
    ]
    for fitting in ([], [{"role": "user", "content": "hi"}]):
        prepared = chat(HISTORY, USER, variables={"history": {"default": fitting}})
        assert len(prepared.render({"ticket": "x"}).messages or ()) == 1 + len(fitting)


def test_a_placeholder_must_be_an_array_and_one_for_passages_must_have_turns() -> None:
    binding = {"collection": "c", "query": "q", "into": "history"}
    assert field_errors(InvalidPrompt, lambda: chat(HISTORY, USER, variables={"history": {"type": "string"}})) == [
        ("variables.history", "is a placeholder, so its type is array")
    ]
    assert field_errors(InvalidPrompt, lambda: chat(HISTORY, USER, context=binding)) == [
        ("context.turns", "'history' is a placeholder: add the messages that a passage becomes")
    ]


def test_all_errors_are_reported_together_with_the_path_of_their_message() -> None:
    assert [
        path
        for path, _ in field_errors(
            InvalidPrompt,
            lambda: chat({"role": "system", "content": "{{#a}}"}, {"role": "user", "content": "{{}}"}, variables={"b": {}}),
        )
    ] == ["template.0.content", "template.1.content", "variables.b"]


def test_a_variable_that_only_the_query_or_only_the_turns_use_is_used() -> None:
    prepared = chat(
        HISTORY,
        {"role": "user", "content": "go"},
        context={
            "collection": "c",
            "query": "{{q}}",
            "into": "history",
            "turns": [{"role": "user", "content": "{{text}} {{lang}}"}],
        },
        variables={"q": {"type": "string"}, "lang": {"type": "string"}},
    )
    assert set(prepared.variables) == {"q", "lang"}
    rendered = prepared.render({"q": "x", "lang": "en"}, [passage("hi")])
    assert rendered.messages == ({"role": "user", "content": "hi en"}, {"role": "user", "content": "go"})


# --- rendering ----------------------------------------------------------------------------------------------------------


def test_a_text_renders_to_text_and_a_chat_to_messages() -> None:
    assert text("Hi {{name}}").render({"name": "Ana"}).text == "Hi Ana"
    rendered = chat({"role": "system", "content": "Sort."}, USER).render({"ticket": "Where is it?"})
    assert rendered.text is None
    assert rendered.messages == ({"role": "system", "content": "Sort."}, {"role": "user", "content": "Where is it?"})


def test_an_f_string_prompt_renders_its_names_and_keeps_json_braces() -> None:
    assert text('{{"intent": "{intent}"}}', format="f-string").render({"intent": "pin"}).text == '{"intent": "pin"}'


def test_a_placeholder_becomes_the_messages_that_are_given() -> None:
    turns = [{"role": "user", "content": "{{ticket}}"}, {"role": "assistant", "content": "yes"}]
    rendered = chat(HISTORY, USER).render({"history": turns, "ticket": "now"})
    assert rendered.messages == (*turns, {"role": "user", "content": "now"})


@pytest.mark.parametrize(
    ("item", "path", "message"),
    [
        ("hello", "", "must be a message: {role, content}"),
        (
            {"role": "user"},
            ".content",
            "is required: a text or a list of parts; only a message with tool_calls may lack it",
        ),
        ({"role": "root", "content": "x"}, ".role", "should be 'system', 'developer', 'user', 'assistant' or 'tool'"),
        ({"role": "user", "content": 3}, ".content", "must be a string"),
        ({"role": "user", "content": "x", "extra": 1}, ".extra", "is not a known field"),
        ({"role": "assistant", "tool_calls": []}, ".tool_calls", "List should have at least 1 item after validation, not 0"),
    ],
    ids=str,
)
def test_what_is_no_message_is_refused_with_its_place(item: Any, path: str, message: str) -> None:
    history = [{"role": "user", "content": "x"}, item]
    assert field_errors(InvalidVariables, lambda: chat(HISTORY, USER).render({"history": history, "ticket": ""})) == [
        (f"history.1{path}", message)
    ]


@pytest.mark.parametrize("value", [5, True, "hi", {"role": "user"}])
def test_a_placeholder_without_a_type_takes_only_a_list_all_the_same(value: Any) -> None:
    prepared = chat(HISTORY, USER, variables={"history": {}})
    assert field_errors(InvalidVariables, lambda: prepared.render({"history": value, "ticket": ""})) == [
        ("history", "must be a list of messages")
    ]


JINJA = "{% for p in passages %}[{{ p.text }} {{ p.metadata.url }}]{% else %}nothing{% endfor %} {{ q }}"


def jinja(template: Any, **more: Any) -> PreparedPrompt:
    kind = "text" if isinstance(template, str) else "chat"
    return prepare(Content.model_validate({"type": kind, "template": template, "format": "jinja2", **more}), jinja2=True)


def test_jinja_is_rendered_where_it_is_turned_on() -> None:
    prepared = jinja([{"role": "system", "content": "{% if tone %}Be {{ tone }}.{% endif %}"}, HISTORY, USER])
    assert {name: variable.required for name, variable in prepared.variables.items()} == {
        "ticket": True,
        "history": True,
        "tone": False,
    }
    assert prepared.render(
        {"ticket": "{{ x }}", "history": [{"role": "user", "content": "{% if %}"}], "tone": "kind"}
    ).messages == (
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "{% if %}"},
        {"role": "user", "content": "{{ x }}"},
    )


def test_jinja_goes_through_passages_or_shows_their_texts() -> None:
    context = {"collection": "handbook", "query": "about {{q}}", "into": "passages"}
    assert jinja(JINJA, context=context).render({"q": "x"}, [passage("one", url="a"), passage("two")]).text == "[one a][two ] x"
    assert jinja(JINJA, context=context).render({"q": "x"}).text == "nothing x"
    plain = jinja("{% if passages %}Known: {{ passages }}{% endif %} {{ q }}", context=context)
    assert plain.render({"q": "x"}, [passage("one"), passage("two")]).text == "Known: one\n\ntwo x"
    assert plain.query_text({"q": "x"}) == "about x"


def test_every_message_with_an_error_in_its_jinja_is_named() -> None:
    messages = [{"role": "system", "content": "{{ f() }}"}, USER, {"role": "user", "content": "{% set a = 1 %}"}]
    assert [path for path, _ in field_errors(InvalidPrompt, lambda: jinja(messages))] == [
        "template.0.content",
        "template.2.content",
    ]


def test_all_messages_share_one_budget() -> None:
    loop = {"role": "user", "content": "{% for a in l %}{% endfor %}"}
    values = {"l": [0] * 200_000}
    assert jinja([loop, loop]).render(values).messages
    with pytest.raises(RenderTooLarge, match="steps"):
        jinja([loop, loop, loop]).render(values)


def test_missing_extra_and_mistyped_values_are_refused_before_anything_is_rendered() -> None:
    prepared = text("{{a}}{{b}}", variables={"a": {"type": "integer"}})
    assert field_errors(InvalidVariables, lambda: prepared.render({"a": "1", "c": 1})) == [
        ("c", "is not a variable of this prompt"),
        ("a", "must be of type integer"),
        ("b", "is required and has no value"),
    ]


def test_partials_are_put_in_and_their_variables_are_asked_for() -> None:
    prepared = text("{{> greet}} Bye.", partials={"greet": "Hello, {{name}}!"})
    assert prepared.render({"name": "Ana"}).text == "Hello, Ana! Bye."
    assert field_errors(InvalidVariables, lambda: prepared.render({})) == [("name", "is required and has no value")]


# --- context ------------------------------------------------------------------------------------------------------------


def bound(template: str, **more: Any) -> PreparedPrompt:
    return text(template, context={"collection": "handbook", "query": "about {{q}}", "into": "passages"}, **more)


def test_the_query_is_rendered_from_the_prompts_own_values() -> None:
    assert bound("{{q}} {{passages}}").query_text({"q": "{{PIN}}"}) == "about {{PIN}}"


def test_passages_go_into_a_value_as_their_texts_the_best_first() -> None:
    rendered = bound("{{passages}} ?{{q}}").render({"q": "x"}, [passage("one"), passage("two")])
    assert rendered.text == "one\n\ntwo ?x"
    assert [passage.text for passage in rendered.passages] == ["one", "two"]


@pytest.mark.parametrize("template", ["{{#passages}}[{{text}} {{metadata.url}}]{{/passages}}{{q}}", "{{> each}}{{q}}"])
def test_passages_go_into_a_section_one_by_one_also_when_a_partial_opens_it(template: str) -> None:
    each = "{{#passages}}[{{text}} {{metadata.url}}]{{/passages}}"
    rendered = bound(template, partials={"each": each}).render({"q": "x"}, [passage("one", url="a"), passage("two")])
    assert rendered.text == "[one a][two ]x"


def test_without_passages_a_section_is_empty_and_its_inverse_is_rendered() -> None:
    assert (
        bound("{{#passages}}x{{/passages}}{{^passages}}nothing for {{q}}{{/passages}}").render({"q": "y"}).text
        == "nothing for y"
    )


def test_passages_become_turns_in_place_of_a_placeholder_the_best_last() -> None:
    prepared = chat(
        {"role": "placeholder", "name": "examples"},
        USER,
        context={
            "collection": "tickets",
            "query": "{{ticket}}",
            "into": "examples",
            "turns": [{"role": "user", "content": "{{text}}"}, {"role": "assistant", "content": "{{metadata.intent}}"}],
        },
    )
    assert set(prepared.variables) == {"ticket"}
    rendered = prepared.render(
        {"ticket": "t"}, [passage("best", 0.9, intent="pin"), passage("{{ticket}}", 0.1, intent="top-up")]
    )
    assert rendered.messages == (
        {"role": "user", "content": "{{ticket}}"},
        {"role": "assistant", "content": "top-up"},
        {"role": "user", "content": "best"},
        {"role": "assistant", "content": "pin"},
        {"role": "user", "content": "t"},
    )


# --- limits -------------------------------------------------------------------------------------------------------------


def test_the_limit_is_over_all_messages_given_and_retrieved_ones_too() -> None:
    prepared = chat(HISTORY, USER)
    values = {"history": [{"role": "user", "content": "12345"}], "ticket": "12345"}
    assert prepared.render(values, limit=10).messages
    with pytest.raises(RenderTooLarge):
        prepared.render(values, limit=9)
    retrieved = chat(
        {"role": "placeholder", "name": "e"},
        USER,
        context={"collection": "c", "query": "q", "into": "e", "turns": [{"role": "user", "content": "{{text}}"}]},
    )
    with pytest.raises(RenderTooLarge):
        retrieved.render({"ticket": "12345"}, [passage("123"), passage("123")], limit=10)


tags = st.text(alphabet="{}#^/!>&=. ab\n", max_size=20)


@given(tags, tags)
def test_values_that_contain_tags_are_rendered_unchanged(ticket: str, reply: str) -> None:
    prepared = chat({"role": "system", "content": "<{{ticket}}>"}, HISTORY, USER)
    rendered = prepared.render({"ticket": ticket, "history": [{"role": "assistant", "content": reply}]})
    assert rendered.messages is not None
    assert [message["content"] for message in rendered.messages] == [f"<{ticket}>", reply, ticket]


PIECES = [
    "{{a}}",
    "{{#b}}",
    "{{/b}}",
    "{{^b}}",
    "{{> p}}",
    "{a}",
    "{{{a}}}",
    "x",
    "{% if a %}",
    "{% endif %}",
    "{{ b|join(a) }}",
]
bodies = st.fixed_dictionaries(
    {
        "type": st.just("text"),
        "template": st.lists(st.sampled_from(PIECES)).map("".join),
        "format": st.sampled_from(["mustache", "simple", "f-string", "jinja2"]),
    },
    optional={
        "partials": st.fixed_dictionaries({"p": st.sampled_from(["{{> p}}", "{{b.c}}", "{{#", "y"])}),
        "variables": st.fixed_dictionaries({"a": st.sampled_from([{}, {"type": "string"}, {"required": False}])}),
        "context": st.just({"collection": "c", "query": "{{a}}", "into": "b"}),
    },
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(object()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    max_leaves=5,
)


@given(bodies, st.dictionaries(st.sampled_from(["a", "b", "c"]), anything))
def test_preparing_and_rendering_raise_nothing_but_our_own_errors(body: dict[str, Any], values: dict[str, Any]) -> None:
    try:
        prepared = prepare(Content.model_validate(body), jinja2=True)
        prepared.render(values, [passage("p")], limit=1000)
        prepared.query_text(values)
    except PromptuaryError:
        pass
