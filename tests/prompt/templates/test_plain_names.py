from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import PromptuaryError
from promptuary.prompt.templates.plain_names import plain_names
from promptuary.prompt.templates.preparation import inferred_variables, prepare
from promptuary.prompt.variables import Variable

PIECES = [
    "{{a}}",
    "{{ b_2 }}",
    "{{\nc\t}}",
    "{{a.b}}",
    "{{&d}}",
    "{{{e}}}",
    "{{#f}}",
    "{{/f}}",
    "{{! g }}",
    "{a}",
    "}}",
    " \n",
    "x",
]
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
messages = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": texts}),
    st.fixed_dictionaries({"role": st.just("user"), "content": texts.map(lambda text: [{"type": "text", "text": text}])}),
    st.just({"role": "placeholder", "name": "history"}),
)
bodies = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "template": texts}),
    st.fixed_dictionaries({"type": st.just("chat"), "template": st.lists(messages, min_size=1, max_size=3)}),
)
parts = st.fixed_dictionaries(
    {"format": st.sampled_from(["mustache", "mustache", "simple", "f-string"])},
    optional={"variables": st.just({"a": {"type": "string"}}), "partials": st.just({"p": "{{q}}"})},
)


@given(bodies, parts)
def test_plain_names_are_those_that_the_parser_finds(body: dict[str, Any], others: dict[str, Any]) -> None:
    try:
        prepared = prepare(Content.model_validate(body | others))
    except (PromptuaryError, ValueError):
        assume(False)
    stored = content_json(prepared.content)
    names = plain_names(stored)
    event("plain" if names is not None else "parsed")
    inferred = {name: variable for name, variable in prepared.variables.items() if name not in others.get("variables", {})}
    assert names is None or names == prepared.variables.keys()
    assert list(inferred_variables(stored).items()) == list(inferred.items())


@pytest.mark.parametrize(
    ("stored", "names"),
    [
        ({"type": "text", "template": "{{a}}, {{ b }} and {{a}}"}, {"a", "b"}),
        ({"type": "chat", "template": [{"role": "user", "content": "{{a}}", "name": None}], "context": None}, {"a"}),
        ({"type": "text", "template": "{{a}} {{{b}}}"}, None),
        ({"type": "text", "template": "{{#a}}{{b}}{{/a}}"}, None),
        ({"type": "text", "template": "{{a}}", "format": "simple"}, None),
        ({"type": "chat", "template": [{"role": "user", "content": [{"type": "text", "text": "{{a}}"}]}]}, None),
        ({"type": "chat", "template": [{"role": "placeholder", "name": "history"}]}, None),
    ],
)
def test_only_plain_tags_in_plain_texts_are_read_without_a_parser(stored: dict[str, Any], names: set[str] | None) -> None:
    assert plain_names(stored) == names


def test_names_without_a_declaration_are_required_and_of_any_type() -> None:
    assert inferred_variables({"type": "text", "template": "{{b}}{{a}}"}) == {"a": Variable(), "b": Variable()}
