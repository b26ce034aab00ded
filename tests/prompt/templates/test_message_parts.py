"""Messages of parts, attachments and tool calls, prepared and rendered."""

import json
from typing import Any

import pytest

from factories.prepared_prompts import HISTORY, USER, chat, field_errors, passage
from promptuary.prompt.errors import InvalidVariables, RenderTooLarge
from promptuary.prompt.templates.prepared import PreparedPrompt

CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{order}}"}'}}


def parts(*content: dict[str, Any], **more: Any) -> PreparedPrompt:
    return chat({"role": "user", "content": list(content)}, **more)  # type: ignore[dict-item] # of any JSON


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}, "cache_control": {"type": "ephemeral"}}


def test_variables_work_in_every_text_of_a_message_and_in_no_other_field() -> None:
    template: list[Any] = [
        {"role": "developer", "content": "Use {{tool}}.", "name": "{{not_a_variable}}"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "call_1"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "{{question}}"},
                image("https://img.example/{{picture}}.png"),
                {"type": "input_audio", "input_audio": {"data": "{{audio}}", "format": "wav"}},
                {"type": "file", "file": {"filename": "{{name}}.pdf", "file_data": "{{pdf}}"}},
            ],
        },
    ]
    prepared = chat(*template)
    names = ["tool", "order", "result", "question", "picture", "audio", "name", "pdf"]
    assert sorted(prepared.variables) == sorted(names)
    messages = prepared.render({name: name.upper() for name in names}).messages
    assert messages == (
        {"role": "developer", "content": "Use TOOL.", "name": "{{not_a_variable}}"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{**CALL, "function": {"name": "find", "arguments": '{"order": "ORDER"}'}}],
        },
        {"role": "tool", "content": "RESULT", "tool_call_id": "call_1"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "QUESTION"},
                image("https://img.example/PICTURE.png"),
                {"type": "input_audio", "input_audio": {"data": "AUDIO", "format": "wav"}},
                {"type": "file", "file": {"filename": "NAME.pdf", "file_data": "PDF"}},
            ],
        },
    )


def test_a_render_does_not_change_what_the_next_one_sees() -> None:
    prepared = parts(image("{{url}}"))
    first = prepared.render({"url": "https://a.example/1.png"}).messages
    assert first is not None
    first[0]["content"][0]["image_url"]["detail"] = "changed"
    second = prepared.render({"url": "https://a.example/2.png"}).messages
    assert second == ({"role": "user", "content": [image("https://a.example/2.png")]},)


def test_partials_and_sections_work_in_parts() -> None:
    prepared = parts(
        {"type": "text", "text": "{{> tone}}{{#items}}{{name}}, {{/items}}"}, image("{{> host}}/a.png"),
        partials={"tone": "Be {{tone}}. ", "host": "https://{{host}}"},
    )  # fmt: skip
    assert {"tone", "host", "items"} <= prepared.variables.keys()
    messages = prepared.render({"tone": "brief", "host": "a.example", "items": [{"name": "x"}]}).messages
    assert messages == (
        {"role": "user", "content": [{"type": "text", "text": "Be brief. x, "}, image("https://a.example/a.png")]},
    )


@pytest.mark.parametrize("url", ["http://a.example/1.png", "file:///etc/passwd", "", "x", "ftp://a.example", "https://a b"])
def test_a_value_cannot_make_another_kind_of_url(url: str) -> None:
    prepared = chat({"role": "system", "content": "x"}, {"role": "user", "content": [image("{{url}}")]})  # type: ignore[dict-item] # of any JSON
    assert field_errors(InvalidVariables, lambda: prepared.render({"url": url})) == [
        ("template.1.content.0.image_url.url", "must be an https: URL or a data: URL")
    ]


def test_a_message_of_an_agent_in_a_placeholder_is_data() -> None:
    history = [
        {"role": "developer", "content": "{{ticket}}"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": [{"type": "text", "text": "{{> x}}"}], "tool_call_id": "call_1", "name": "find"},
        {"role": "user", "content": [image("https://a.example/{{ticket}}.png")]},
    ]
    messages = chat(HISTORY, USER).render({"history": history, "ticket": "t"}).messages
    assert messages == (*history, {"role": "user", "content": "t"})


def test_texts_and_attachments_have_one_limit_each_over_all_messages() -> None:
    prepared = chat(HISTORY, {"role": "user", "content": [{"type": "text", "text": "{{a}}"}, image("{{b}}")]})  # type: ignore[dict-item] # of any JSON
    url = "data:image/png;base64," + "A" * 78

    def render(**values: Any) -> Any:
        return prepared.render({"a": "", "b": url, "history": [], **values}, limit=100, attachment_limit=200)

    text_message, image_message = {"role": "user", "content": "x" * 50}, {"role": "user", "content": [image(url)]}
    assert render(a="x" * 100)
    assert render(history=[text_message, image_message], a="x" * 50)
    for values in ({"a": "x" * 101}, {"history": [text_message, text_message], "a": "x"}):
        with pytest.raises(RenderTooLarge, match="rendered prompt is over the limit of 100 characters"):
            render(**values)
    for values in ({"history": [image_message, image_message]}, {"b": url + "A" * 101}):
        with pytest.raises(RenderTooLarge, match="images, audio and files of the prompt are over the limit of 200 characters"):
            render(**values)


def test_passages_become_turns_with_parts_and_tool_calls() -> None:
    turns = [
        {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "find", "arguments": '{"d": "{{document}}"}'}}]},
        {"role": "tool", "content": [{"type": "text", "text": "{{text}}"}], "tool_call_id": "call_1"},
    ]
    prepared = chat(HISTORY, USER, context={"collection": "c", "query": "{{ticket}}", "into": "history", "turns": turns})
    assert list(prepared.variables) == ["ticket"]
    assert prepared.render({"ticket": "t"}, [passage("hi")]).messages == (
        {
            "role": "assistant",
            "tool_calls": [{**CALL, "function": {"name": "find", "arguments": '{"d": "doc"}'}}],
        },
        {"role": "tool", "content": [{"type": "text", "text": "hi"}], "tool_call_id": "call_1"},
        {"role": "user", "content": "t"},
    )


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ('{"a": "{{x}}"}', {"x": 'say "hi"\n\\'}, {"a": 'say "hi"\n\\'}),
        ('{"a": "\\"{{x}}\\""}', {"x": '"'}, {"a": '"""'}),
        ('{"a": {{x}}, "b": "{{x}}"}', {"x": 7}, {"a": 7, "b": "7"}),
        ('{"a": {{x}}}', {"x": {"b": ['"']}}, {"a": {"b": ['"']}}),
        ("{{x}}", {"x": '{"a": "\\""}'}, {"a": '"'}),
        ('[{{#x}}"{{.}}",{{/x}}"end"]', {"x": ['"', "ø"]}, ['"', "ø", "end"]),
        ('{"a": "{{> p}}"}', {"x": '"'}, {"a": 'p "'}),
    ],
)
def test_a_value_in_a_string_of_arguments_is_escaped_for_it(arguments: str, values: dict[str, Any], expected: Any) -> None:
    call = {**CALL, "function": {"name": "find", "arguments": arguments}}
    template: list[Any] = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    partials = {"p": "p {{x}}"} if "{{> p}}" in arguments else {}
    (message,) = chat(*template, partials=partials).render(values).messages or ()
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == expected
