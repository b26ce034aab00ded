"""A prompt that a lookup returns: rendering the short and the full way, context, LangChain, and its metadata."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.loopback_server import lookup_body
from promptuary.client import NeedsContext, Prompt, Source
from promptuary.client.freshness import Freshness
from promptuary.client.versions.version import UnusableResponse, fallback_version, read_version
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables, RenderTooLarge
from promptuary.prompt.templates.prepared import Passage

TURNS = [{"role": "user", "content": "{{text}}"}, {"role": "assistant", "content": "{{metadata.intent}}"}]
CONTEXT = {"collection": "tickets", "query": "{{ticket}}", "into": "examples"}
CHAT = [
    {"role": "system", "content": 'Sort into {{intents}}, 100% as {"intent": "…"} or %s'},
    {"role": "placeholder", "name": "history"},
    {"role": "user", "content": "{{{ticket}}}{{& intents}}"},
]
VARIABLES = {
    "ticket": {"type": "string", "minLength": 1, "maxLength": 20},
    "intents": {"enum": ["a", "b", 3], "default": "a"},
    "history": {"type": "array", "required": False},
}


def prompt_of(template: Any, source: Source = Source.SERVER, **parts: Any) -> Prompt:
    return Prompt(read_version(lookup_body(template, **parts), "support.triage"), source, Freshness(10.0), 60.0, lambda: 15.0)


def test_a_chat_renders_to_messages_and_a_text_to_text() -> None:
    assert prompt_of(CHAT, variables=VARIABLES).render(ticket="{{x}}", history=[{"role": "user", "content": "hi"}]) == [
        {"role": "system", "content": 'Sort into a, 100% as {"intent": "…"} or %s'},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "{{x}}a"},
    ]
    assert prompt_of("100%% {{a}} %(a)s").render(a="%d") == "100%% %d %(a)s"
    assert prompt_of("100%% plain").render() == "100%% plain"


values = st.one_of(st.text(max_size=25), st.none(), st.integers(), st.booleans(), st.lists(st.text(max_size=3), max_size=2))
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "tool", "root"]), "content": st.one_of(st.text(max_size=3), st.none())}
        ),
        st.dictionaries(st.sampled_from(["role", "content", "name"]), st.sampled_from(["user", "x"]), max_size=3),
        st.text(max_size=2),
    ),
    max_size=3,
)


@given(
    st.dictionaries(
        st.sampled_from(["ticket", "intents", "history", "other"]), st.one_of(values, messages, st.just("b")), max_size=4
    )
)
def test_the_short_way_gives_what_the_full_renderer_gives_or_leaves_it_to_that(given_values: dict[str, Any]) -> None:
    prompt = prompt_of(CHAT, variables=VARIABLES)
    parsed = prompt._version.parsed
    assert parsed.compiled is not None
    assert parsed.prepared is not None
    short = parsed.compiled.render(given_values)
    if short is not None:
        assert short == [dict(message) for message in parsed.prepared.render(given_values).messages or ()]


@pytest.mark.parametrize("ticket", ["x", "y" * 20])
@pytest.mark.parametrize("more", [{}, {"intents": "b"}, {"history": [{"role": "tool", "content": ""}]}])
def test_plain_texts_take_the_short_way(ticket: str, more: dict[str, Any]) -> None:
    compiled = prompt_of(CHAT, variables=VARIABLES)._version.parsed.compiled
    assert compiled is not None
    assert compiled.render({"ticket": ticket, **more}) is not None


@pytest.mark.parametrize(
    "wrong",
    [{}, {"ticket": ""}, {"ticket": "x", "intents": "c"}, {"ticket": "x", "more": "y"}, {"ticket": "x", "history": [{}]}],
)
def test_values_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidVariables):
        prompt_of(CHAT, variables=VARIABLES).render(**wrong)


@pytest.mark.parametrize(
    ("template", "given_values", "text"),
    [
        ("{{#items}}- {{.}}\n{{/items}}", {"items": ["a", "b"]}, "- a\n- b\n"),
        ("{{a.b}}", {"a": {"b": 1}}, "1"),
        ("{{self}} {{n}}", {"self": "me", "n": 2}, "me 2"),
    ],
)
def test_what_has_no_short_way_is_rendered_all_the_same(template: str, given_values: dict[str, Any], text: str) -> None:
    assert prompt_of(template).render(**given_values) == text


def test_too_much_output_is_refused() -> None:
    with pytest.raises(RenderTooLarge):
        prompt_of("{{a}}{{a}}").render(a="x" * 600_000)


def test_a_prompt_with_a_context_says_who_can_render_it() -> None:
    prompt = prompt_of("{{examples}} {{ticket}}", context=CONTEXT)
    with pytest.raises(NeedsContext, match=r"client\.render\('support\.triage'"):
        prompt.render(ticket="x")


PASSAGE = {"text": "p", "score": 0.5, "document": "d", "chunk": 0, "digest": "sha256:0", "metadata": {"intent": "i"}}


@pytest.mark.parametrize(
    ("examples", "text"),
    [("one", "one x"), (["one", "two"], "one\n\ntwo x"), ([PASSAGE], "p x"), ([], " x")],
)
def test_passages_can_be_given_under_the_name_that_they_fill(examples: Any, text: str) -> None:
    assert prompt_of("{{examples}} {{ticket}}", context=CONTEXT).render(ticket="x", examples=examples) == text


def test_passages_become_turns_where_the_context_says_so() -> None:
    template = [{"role": "placeholder", "name": "examples"}, {"role": "user", "content": "{{ticket}}"}]
    prompt = prompt_of(template, context={**CONTEXT, "turns": TURNS})
    passages = [Passage("p", 0.5, "c", "d", 0, "sha256:0", {"intent": "i"})]
    contents = ["p", "i", "x"]
    assert [message["content"] for message in prompt.render(ticket="x", examples=passages)] == contents
    assert [message["content"] for message in prompt.render(ticket="x", examples=[PASSAGE])] == contents


@pytest.mark.parametrize("examples", [7, [7], [{"score": 1}], None])
def test_what_is_no_passage_is_refused(examples: Any) -> None:
    with pytest.raises(InvalidVariables, match="passages"):
        prompt_of("{{examples}} {{ticket}}", context=CONTEXT).render(ticket="x", examples=examples)


def test_a_prompt_tells_about_itself() -> None:
    prompt = prompt_of("{{a}}", model={"name": "local:smollm2"}, version=4, variant="b", labels=["production", "x"])
    assert (prompt.age, prompt.stale, prompt.version, prompt.variant, prompt.label) == (5.0, False, 4, "b", "production")
    assert prompt.content.model is not None
    assert prompt.content.model.name == "local:smollm2"
    assert repr(prompt) == "<Prompt support.triage version 4 from server>"
    assert prompt.metadata == {
        "promptuary.name": "support.triage",
        "promptuary.version": 4,
        "promptuary.digest": prompt.digest,
        "promptuary.label": "production",
        "promptuary.variant": "b",
        "promptuary.source": "server",
    }


def test_a_langchain_run_carries_the_version_and_the_digest() -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    seen: list[dict[str, Any]] = []

    class Watcher(BaseCallbackHandler):
        def on_chain_start(self, *_: Any, metadata: dict[str, Any] | None = None, **__: Any) -> None:
            seen.append(metadata or {})

    prompt = prompt_of([{"role": "system", "content": 'Answer {"a": 1}'}, {"role": "user", "content": "{{ticket}}"}])
    given_prompt = prompt.to_langchain().invoke({"ticket": "Hi"}, config={"callbacks": [Watcher()]})
    assert [message.content for message in given_prompt.to_messages()] == ['Answer {"a": 1}', "Hi"]
    assert seen[0].items() >= prompt.metadata.items()


def test_jinja2_is_rendered_where_the_application_has_installed_it() -> None:
    assert prompt_of("{% if a %}{{ b|upper }}{% endif %}", format="jinja2").render(a=True, b="x") == "X"
    chat = prompt_of([{"role": "user", "content": "{{ ticket }} 100%"}], format="jinja2")
    assert chat._version.parsed.compiled is not None  # plain names go the short way in every format
    assert chat.render(ticket="{{ x }} %s") == [{"role": "user", "content": "{{ x }} %s 100%"}]
    assert chat.to_langchain().invoke({"ticket": "{x}"}).to_messages()[0].content == "{x} 100%"
    with pytest.raises(InvalidVariables, match=r"n: '\+' needs two numbers"):
        prompt_of("{{ n + 1 }}", format="jinja2").render(n="hunter2")
    with pytest.raises(RenderTooLarge, match="steps"):
        prompt_of("{% for a in l %}" * 4 + "{% endfor %}" * 4, format="jinja2").render(l=[0] * 200)


def test_jinja2_can_be_read_without_the_library_and_rendering_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    prompt = prompt_of("{% if a %}x{% endif %} without", format="jinja2")
    assert prompt.content.template == "{% if a %}x{% endif %} without"
    for use in (lambda: prompt.render(a=1), prompt.to_langchain):
        with pytest.raises(InvalidPrompt, match=r"install promptuary\[jinja2\]"):
            use()


def test_a_fallback_takes_the_values_of_the_prompt_that_it_stands_in_for() -> None:
    version = fallback_version("support.triage", "Sort {{ticket}}")
    prompt = Prompt(version, Source.FALLBACK, Freshness(None), 60.0, lambda: 0.0)
    assert prompt.render(ticket="x", intents="unused") == "Sort x"
    with pytest.raises(InvalidVariables):
        prompt.render(intents="unused")
    assert "promptuary.version" not in prompt.metadata


def test_versions_of_one_content_share_what_was_parsed() -> None:
    first, second = (read_version(lookup_body(version=number), "support.triage") for number in (1, 2))
    assert first.parsed is second.parsed


@pytest.mark.parametrize(
    "change",
    [
        {"name": "support.other"},
        {"version": "1"},
        {"version": True},
        {"digest": None},
        {"digest": "sha256:" + "0" * 64},
        {"template": "Obey"},
        {"template": 2**80},
        {"variables": {"x": {"sensitive": True}}},
    ],
)
def test_a_body_that_is_not_what_it_says_is_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(UnusableResponse):
        read_version({**lookup_body(), **change}, "support.triage")


def test_every_part_of_the_content_must_be_there() -> None:
    body = lookup_body()
    del body["partials"]
    with pytest.raises(UnusableResponse, match="partials"):
        read_version(body, "support.triage")
