"""SDKs render their texts the same as Promptuary: compared with the SDKs' renderers on random templates."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptuary.compat.langfuse import schemas as langfuse_shape
from promptuary.compat.mlflow import tags
from promptuary.compat.phoenix import schemas as phoenix_shape
from promptuary.compat.sdk_rendering import SdkTemplateReader, content_of_sdk, require_sdk_renderable, sdk_texts
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


def phoenix(source: str, values: dict[str, str]) -> str:
    from phoenix.client.utils.template_formatters import MUSTACHE_TEMPLATE_FORMATTER

    return MUSTACHE_TEMPLATE_FORMATTER.format(source, variables=values)


READERS = [(langfuse_shape.SDK, langfuse), (tags.SDK, mlflow), (phoenix_shape.SDK, phoenix)]
READER_NAMES = ["langfuse", "mlflow", "phoenix"]
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
SIMPLE_PIECES = [
    "{{a}}",
    "{{ b }}",
    "{{{a}}}",
    "{{a.b}}",
    "{{ü}}",
    "{{1x}}",
    "{{a-b}}",
    "{{a b}}",
    '{{"k": 1}}',
    "\\",
    "\\{{b}}",
]
SIMPLE_PIECES += [
    "{{",
    "}}",
    "{",
    "}",
    "{{}}",
    "{{ {{a}} }}",
    "{{a\n}}",
    "{{#a}}",
    "{{/a}}",
    "{{! c}}",
    "{% if %}",
    "{a}",
    " ",
    "\n",
    "x",
]


@pytest.mark.parametrize(("sdk", "render"), READERS, ids=READER_NAMES)
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


@pytest.mark.parametrize(("sdk", "render"), READERS, ids=READER_NAMES)
@given(pieces=st.lists(st.sampled_from(SIMPLE_PIECES), max_size=6))
@example(pieces=["{{a.b}}", "{{a-b}}"])
def test_an_sdk_renders_a_simple_text_as_promptuary_or_receives_nothing(
    sdk: SdkTemplateReader, render: Callable[[str, dict[str, str]], Any], pieces: list[str]
) -> None:
    content = text("".join(pieces), format="simple")
    prepared = prepare(content)
    try:
        (sdk_text,) = sdk_texts(content, WHAT, sdk)
    except Conflict:
        return
    values = {name: f"<{name}>" for name in prepared.variables}
    assert sdk_text == content.template
    assert render(sdk_text, values) == prepared.render(values).text


@pytest.mark.parametrize(("sdk", "render"), READERS[:2], ids=READER_NAMES[:2])
@given(pieces=st.lists(st.sampled_from([*SIMPLE_PIECES, "{{> p}}"]), max_size=6))
@example(pieces=["{{> p}}", "{{{a}}}"])
@example(pieces=["{{> p}}", "{{! c}}"])
@example(pieces=["{{ü}}", "{{a}}"])
def test_what_an_sdk_registers_means_the_same_here_or_is_refused(
    sdk: SdkTemplateReader, render: Callable[[str, dict[str, str]], Any], pieces: list[str]
) -> None:
    source = "x" + "x".join(pieces) + "x"  # an include alone on its line removes the line's end
    try:
        content = content_of_sdk({"type": "text", "template": source}, sdk)
        content = content.model_copy(update={"partials": {"p": "P"} if "{{> p}}" in source else {}})
        prepared = prepare(content, jinja2=True)
        require_sdk_renderable(content, sdk)
    except (InvalidPrompt, InvalidRequest):
        return
    values = {name: f"<{name}>" for name in prepared.variables}
    assert render(source.replace("{{> p}}", "P"), values) == prepared.render(values).text  # an include is this server's own


@pytest.mark.parametrize(
    ("sdk", "source", "reason"),
    [
        (phoenix_shape.SDK, "{{a.b}}", "'{{a.b}}' is a variable for Promptuary, and something else for it"),
        (phoenix_shape.SDK, "\\{{c}}", "'{{c}}' is a variable for Promptuary"),
        (phoenix_shape.SDK, "{{ü}}", "'{{ü}}' is a variable for it, and text for Promptuary"),
        (phoenix_shape.SDK, "{{1x}}", "'{{1x}}' is a variable for it"),
        (langfuse_shape.SDK, "{{{a}}}", "'{{a}}' is a variable for Promptuary"),
        (langfuse_shape.SDK, '{{ "k": {{a}} }}', "'{{a}}' is a variable for Promptuary"),
        (langfuse_shape.SDK, "{{ü}}", "'{{ü}}' is a variable for it"),
        (tags.SDK, "{{a.b}} {{a_b}}", "'{{a_b}}' is a variable for Promptuary, and something else"),
    ],
)
def test_a_simple_text_that_an_sdk_reads_differently_is_refused_by_the_name(
    sdk: SdkTemplateReader, source: str, reason: str
) -> None:
    with pytest.raises(Conflict) as refused:
        sdk_texts(text(source, format="simple"), WHAT, sdk)
    assert f"{sdk.name} cannot render {WHAT}: in its text, " in refused.value.message
    assert reason in refused.value.message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{größe}} of {{1x}}", "mustache"),
        ("{{a.b}}", "simple"),
        ('{{ "k": 1 }} {{a}}', "simple"),
        ("{{> tone}} {{a}}", "mustache"),
    ],
)
def test_the_format_is_the_one_that_reads_a_text_as_the_sdk_does(source: str, expected: str) -> None:
    assert content_of_sdk({"type": "text", "template": source}, langfuse_shape.SDK).format == expected


@pytest.mark.parametrize("more", ["{{{x}}}", "{{& x}}", "{{! x}}", "{{#x}}y{{/x}}", "{{=<% %>=}}", "{{a.b}}"])
@pytest.mark.parametrize("sdk", [langfuse_shape.SDK, tags.SDK], ids=["langfuse", "mlflow"])
def test_beside_an_include_only_names_mean_the_same_to_an_sdk(sdk: SdkTemplateReader, more: str) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "{{> tone}} " + more}]
    with pytest.raises(InvalidPrompt) as refused:
        content_of_sdk({"type": "chat", "template": messages}, sdk)
    (error,) = refused.value.field_errors
    assert error.path == "template.1.content"
    assert "reads braces in it differently from the SDK; beside an include, write text and {{name}} alone" in error.message


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
