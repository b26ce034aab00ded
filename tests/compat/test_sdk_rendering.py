"""SDKs render their texts the same as Promptuary: compared with the SDKs' renderers on random templates."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptuary.compat.langfuse import schemas as langfuse_shape
from promptuary.compat.mlflow import tags
from promptuary.compat.sdk_rendering import SdkTemplateReader, require_sdk_renderable, sdk_texts
from promptuary.core.errors import Conflict, InvalidRequest
from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt

WHAT = "version 1 of 'a'"


def text(template: str, **more: Any) -> Content:
    return Content.model_validate({"type": "text", "template": template, **more})


def langfuse(source: str, values: dict[str, str]) -> str:
    from langfuse.model import TemplateParser

    return TemplateParser.compile_template(source, values)


def mlflow(source: str, values: dict[str, str]) -> Any:
    from mlflow.entities.model_registry import PromptVersion

    return PromptVersion("a", 1, source).format(**values)


READERS = [(langfuse_shape.SDK, langfuse), (tags.SDK, mlflow)]
PIECES = ["{{a}}", "{{ b }}", "{{{a}}}", "{{& b}}", "{{! c }}", "{{> p}}", "  {{> p}}\n", "{{=<% %>=}}", "<%a%>", "<%={{ }}=%>"]
PIECES += [
    "{{#a}}",
    "{{/a}}",
    "{{.}}",
    "{{é-1}}",
    "{{a.b}}",
    "{a}",
    "{{{{",
    "}}}}",
    "{",
    "}",
    "{% if %}",
    " ",
    "\n",
    "x",
    '{"k": 1}',
]


@pytest.mark.parametrize(("sdk", "render"), READERS, ids=["langfuse", "mlflow"])
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=8),
    partial=st.lists(st.sampled_from(PIECES), max_size=4),
    written_in=st.sampled_from(["mustache", "f-string"]),
)
@example(pieces=["{", "{{a}}", "}"], partial=[], written_in="mustache")
@example(pieces=["{{{{", "{a}", "}}}}"], partial=[], written_in="f-string")
@example(pieces=["{{=<% %>=}}", "<%a%>", "{{a}}"], partial=[], written_in="mustache")
@example(pieces=["{{> p}}"], partial=["{% if %}"], written_in="mustache")
@example(pieces=["  {{> p}}\n", "x"], partial=["x", "\n", "{{a}}"], written_in="mustache")
def test_an_sdk_renders_the_same_as_promptuary_or_receives_nothing(
    sdk: SdkTemplateReader, render: Callable[[str, dict[str, str]], Any], pieces: list[str], partial: list[str], written_in: str
) -> None:
    partials = {"p": "".join(partial)} if written_in == "mustache" else {}
    content = text("".join(pieces), format=written_in, partials=partials)
    try:
        prepared: PreparedPrompt = prepare(content)
    except InvalidPrompt:
        return
    try:
        (sdk_text,) = sdk_texts(content, WHAT, sdk)
    except Conflict:
        return
    values = {name: f"<{name}>" for name in prepared.variables}
    if any("." in tag.name for tag in sdk.read(sdk_text) if hasattr(tag, "name")):
        return  # an SDK takes `a.b` for the name of one value, which its caller gives under that name
    assert render(sdk_text, values) == prepared.render(values).text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (text("Hi {{ name }}"), "Hi {{ name }}"),
        (text("Hi {{{name}}}"), "Hi {{name}}"),
        (text("Hi{{! who? }} {{&name}}"), "Hi {{name}}"),
        (text("Hi {name}, {{literally}}", format="f-string"), "Hi {{name}}, {literally}"),
        (text('{"a": "{{b}}"}'), '{"a": "{{b}}"}'),
        (text("{{> tone}}Bye", partials={"tone": "Be {{kind}}. "}), "Be {{kind}}. Bye"),
        (text("Dear\n  {{> list}}\nBye", partials={"list": "- a\n- b"}), "Dear\n  - a\n  - bBye"),
        (text("Hi {{ name }}", format="jinja2"), "Hi {{ name }}"),
    ],
)
@pytest.mark.parametrize("sdk", [langfuse_shape.SDK, tags.SDK], ids=["langfuse", "mlflow"])
def test_the_source_is_sent_if_the_sdk_parses_it_else_an_equivalent_text(
    content: Content, expected: str, sdk: SdkTemplateReader
) -> None:
    assert sdk_texts(content, WHAT, sdk) == [expected]
    require_sdk_renderable(content, sdk)


CONTEXT = {"collection": "tickets", "query": "{{q}}", "into": "found"}
NESTED = {f"p{number}": f"{{{{> p{number + 1}}}}}" * 2 for number in range(40)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (text("{{#items}}{{.}}{{/items}}"), "it has the section 'items'"),
        (text("{{^a}}none{{/a}}"), "it has the section 'a'"),
        (text("{{> p}}", partials={"p": "{{#a}}x{{/a}}"}), "it has the section 'a'"),
        (text("{{.}}"), "it has '{{.}}', all values at once"),
        (text("{{=<% %>=}}{{a}} <%b%>"), "its text has braces or a name that would be parsed differently"),
        (text("{{{{a}}}} {b}", format="f-string"), "its text has braces or a name that would be parsed differently"),
        (text("{{{{x}}}}", format="jinja2"), "it is a Jinja2 template with more than plain names"),
        (text("{{ a | upper }}", format="jinja2"), "it is a Jinja2 template with more than plain names"),
        (text("{# note #}{{ a }}", format="jinja2"), "it is a Jinja2 template with more than plain names"),
        (text("{{q}} {{found}}", context=CONTEXT), "its context, passages of 'tickets', is retrieved by the server alone"),
        (text("{{> p}}", partials={"p": "x{{> p}}"}), "its partials are nested more than 32 deep"),
        (text("{{> p0}}", partials={**NESTED, "p40": ""}), "its partials are nested more than 32 deep"),
        (text("{{> p}}" * 9, partials={"p": "{{> q}}" * 9, "q": "x" * 20_000}), "it is too large with its partials"),
    ],
)
@pytest.mark.parametrize("sdk", [langfuse_shape.SDK, tags.SDK], ids=["langfuse", "mlflow"])
def test_syntax_that_an_sdk_does_not_render_is_refused_with_the_reason(
    content: Content, reason: str, sdk: SdkTemplateReader
) -> None:
    with pytest.raises(Conflict) as refused:
        sdk_texts(content, WHAT, sdk)
    assert refused.value.message == f"{sdk.name} cannot render {WHAT}: {reason}; {sdk.instead}"
    with pytest.raises(InvalidRequest, match=r"could not render it: .*; register it with POST /v1/prompts"):
        require_sdk_renderable(content, sdk)


def test_partials_that_double_at_every_level_are_refused_at_once() -> None:
    shallow = {f"p{number}": f"{{{{> p{number + 1}}}}}" * 2 for number in range(30)}
    with pytest.raises(Conflict, match="it is too large"):
        sdk_texts(text("{{> p0}}", partials={**shallow, "p30": ""}), WHAT, langfuse_shape.SDK)


def test_only_mlflow_receives_jinja2_and_only_from_a_jinja2_version() -> None:
    loop = "{% for a in b %}{{ a }}{% endfor %}"
    assert sdk_texts(text(loop, format="jinja2"), WHAT, tags.SDK) == [loop]
    assert mlflow(loop, {"b": "xy"}) == "xy"
    with pytest.raises(Conflict, match="Jinja2 template"):
        sdk_texts(text(loop, format="jinja2"), WHAT, langfuse_shape.SDK)
    with pytest.raises(Conflict, match="would be run as Jinja2"):
        sdk_texts(text(loop), WHAT, tags.SDK)
    assert sdk_texts(text(loop), WHAT, langfuse_shape.SDK) == [loop]


def test_only_langfuse_receives_a_placeholder() -> None:
    chat = Content.model_validate(
        {"type": "chat", "template": [{"role": "placeholder", "name": "h"}, {"role": "user", "content": "{{q}}"}]}
    )
    assert sdk_texts(chat, WHAT, langfuse_shape.SDK) == ["{{q}}"]
    with pytest.raises(Conflict, match="it has the placeholder 'h'"):
        sdk_texts(chat, WHAT, tags.SDK)
