import json
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json, content_json
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.validation_errors import field_errors_from

CALL = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"order": "{{order}}"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://img.example/{{order}}.png", "detail": "low"}}


def chat(*template: dict[str, Any], **more: Any) -> Content:
    return Content.model_validate({"type": "chat", "template": list(template), **more})


def field_errors(*template: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        chat(*template)
    return [(error.path, error.message) for error in field_errors_from(raised.value)]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "Be brief.", "name": "policy"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": "One moment.", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "call_1"},
        {"role": "user", "content": [{"type": "text", "text": "{{q}}", "cache_control": {"type": "ephemeral"}}, IMAGE]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "{{audio}}", "format": "wav"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "{{pdf}}"}}]},
        {"content": "{{q}}", "role": "user"},
        {"role": "user", "name": None, "content": "{{q}}", "tool_calls": None, "tool_call_id": None},
        {"tool_calls": [{"function": {"arguments": "{}", "name": "f"}, "type": "function", "id": "c"}], "role": "assistant"},
        {"role": "assistant", "tool_calls": [CALL], "content": None},
        {"role": "user", "content": [{"cache_control": None, "text": "{{q}}", "type": "text"}]},
        {"role": "user", "content": [{"image_url": {"detail": None, "url": "https://a.example/b"}, "type": "image_url"}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": None, "file_id": "f", "filename": None}}]},
        {"name": "history", "role": "placeholder"},
    ],
    ids=str,
)
def test_a_message_of_an_agent_comes_back_as_it_was_sent(message: dict[str, Any]) -> None:
    messages = [{"role": "assistant", "tool_calls": [CALL]}, message] if message["role"] == "tool" else [message]
    content = chat(*messages)
    assert json.dumps(content_json(content)["template"]) == json.dumps(messages)
    assert content_from_json(content_json(content)) == content
    assert validate_content(content).content is content


def test_a_plain_message_keeps_the_digest_that_it_had() -> None:
    plain = chat({"role": "system", "content": "Sort."}, {"role": "user", "content": "{{ticket}}"})
    assert content_digest(plain) == "sha256:cce0bb3a25baae8c660faaf7c27f1a8917f8a096a822fe7056f7ec3b9a90cb34"


def test_null_content_and_absent_content_are_two_contents() -> None:
    absent, null = ({"role": "assistant", "tool_calls": [CALL]}, {"role": "assistant", "content": None, "tool_calls": [CALL]})
    assert content_digest(chat(absent)) != content_digest(chat(null))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"role": "assistant", "tool_calls": [{**CALL, "index": 0}]},
            ("tool_calls.0.index", "is not a known field"),
        ),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {"a": 1}}}]},
            ("tool_calls.0.function.arguments", "must be a string"),
        ),
        (
            {"role": "user", "content": "x", "tool_calls": [CALL]},
            ("tool_calls", "belong to a message of the role assistant"),
        ),
        (
            {"role": "user", "content": "x", "tool_call_id": "call_1"},
            ("tool_call_id", "belongs to a message of the role tool"),
        ),
        (
            {"role": "user", "content": None},
            ("content", "is required: a text or a list of parts; only a message with tool_calls may lack it"),
        ),
        ({"role": "user", "content": "x", "refusal": None}, ("refusal", "is not a known field")),
        (
            {"role": "user", "content": [{"type": "video", "video": {}}]},
            ("content.0", "needs a `type`: text, image_url, input_audio or file"),
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://x.example/a.png"}]},
            ("content.0.image_url", "must be an object"),
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "x"}}]},
            ("content.0.file.filename", "is required with file_data"),
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            ("content.0.file", "needs a `file_id`, or a `filename` with its `file_data`"),
        ),
    ],
    ids=str,
)
def test_an_error_names_the_key_and_its_place(message: dict[str, Any], expected: tuple[str, str]) -> None:
    path, text = expected
    assert field_errors({"role": "user", "content": "hi"}, message) == [(f"template.1.{path}", text)]


def test_the_result_of_a_tool_names_its_call_where_there_are_calls() -> None:
    result = {"role": "tool", "content": "x"}
    assert validate_content(chat(result))  # as earlier releases and Langfuse's pages make them
    with pytest.raises(InvalidPrompt) as raised:
        validate_content(chat({"role": "assistant", "tool_calls": [CALL]}, result))
    assert [error.path for error in raised.value.field_errors] == ["template.1.tool_call_id"]


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://img.example/a.png", True),
        ("HTTPS://img.example/a.png", True),
        ("data:image/png;base64,iVBORw0KGgo=", True),
        ("{{url}}", True),
        ("https://{{host}}/a.png", True),
        ("data:image/png;base64,{{png}}", True),
        ("http{{s}}://x.example/a.png", True),
        ("http://img.example/a.png", False),
        ("http://{{host}}/a.png", False),
        ("file:///etc/passwd", False),
        ("ftp://x.example/{{a}}", False),
        ("javascript:alert(1)", False),
        ("//img.example/a.png", False),
        (" https://img.example/a.png", False),
        ("https://img.example/a b.png", False),
        ("https:///a.png", False),
        ("", False),
    ],
)
def test_an_image_has_an_https_or_a_data_url(url: str, accepted: bool) -> None:
    content = chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    if accepted:
        assert validate_content(content)
        return
    with pytest.raises(InvalidPrompt) as raised:
        validate_content(content)
    assert [(error.path, error.message) for error in raised.value.field_errors] == [
        ("template.0.content.0.image_url.url", "must be an https: URL or a data: URL")
    ]


# --- what a model is sent ---------------------------------------------------------------------------------------------------


def test_neither_null_members_nor_their_order_reach_a_model() -> None:
    sent = [
        {"name": None, "content": "hi", "role": "user"},
        {"content": [{"text": "x", "cache_control": None, "type": "text"}], "role": "user", "name": "ana"},
        {"tool_calls": [{"type": "function", "id": "c", "function": {"arguments": "{}", "name": "f"}}], "role": "assistant"},
        {"tool_calls": None, "tool_call_id": "c", "content": "1", "role": "tool"},
    ]
    assert json.dumps(prepare(chat(*sent)).render({}).messages) == json.dumps(
        [
            {"role": "user", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "x"}], "name": "ana"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "1", "tool_call_id": "c"},
        ]
    )


def test_messages_are_equal_in_any_order_of_their_members() -> None:
    first, second = (chat(message) for message in ({"role": "user", "content": "x"}, {"content": "x", "role": "user"}))
    assert first == second
    assert hash(first.template[0]) == hash(second.template[0])
    assert first != chat({"role": "user", "content": "x", "name": None})


def test_the_order_of_members_is_outside_the_digest() -> None:
    assert content_digest(chat({"role": "user", "content": "x"})) == content_digest(chat({"content": "x", "role": "user"}))


# --- what is refused at registration ----------------------------------------------------------------------------------------

FILE = {"type": "file", "file": {"file_id": "file-1"}}


def registration_errors(*messages: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    content = chat(*messages, **more)
    try:
        validate_content(content, jinja2=True)
    except InvalidPrompt as error:
        prepare(content, jinja2=True)  # as a version of an earlier release
        return [(field_error.path, field_error.message) for field_error in error.field_errors]
    return []


def calls(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{**CALL, "id": call_id} for call_id in ids]}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "content": "x", "tool_call_id": call_id}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"role": "user", "content": "x", "name": "{{n}}"}, "name"),
        ({"role": "user", "content": "x", "name": "a{{#n}}b{{/n}}"}, "name"),
        ({"role": "user", "content": "x", "name": "a{{! comment }}"}, "name"),
        ({"role": "user", "content": "x", "name": "a{{"}, "name"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": "{{id}}"}]}, "tool_calls.0.id"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "{{f}}", "arguments": "{}"}}]},
            "tool_calls.0.function.name",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{u}}", "detail": "{{d}}"}}]},
            "content.0.image_url.detail",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "{{u}}", "format": "{{d}}"}}]},
            "content.0.input_audio.format",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"ttl": "{{t}}"}}]},
            "content.0.cache_control.ttl",
        ),
    ],
)
def test_a_tag_where_no_variable_works_is_refused_with_its_place(message: dict[str, Any], path: str) -> None:
    ((place, reason),) = registration_errors({"role": "user", "content": "hi"}, message)
    assert place == f"template.1.{path}"
    assert reason.endswith("has a tag, but no variable works here: write the text itself, without the braces")


@pytest.mark.parametrize(
    ("format_", "name", "is_refused"),
    [
        ("f-string", "{n}", True),
        ("f-string", "{{n}}", True),
        ("f-string", "n", False),
        ("jinja2", "{% if a %}b{% endif %}", True),
        ("jinja2", "{n}", False),
        ("simple", "{{n}}", True),
        ("simple", "{{n", False),
        ("mustache", "{n}", False),
    ],
)
def test_a_tag_is_what_the_format_reads_as_one(format_: str, name: str, is_refused: bool) -> None:
    errors = registration_errors({"role": "user", "content": "x", "name": name}, format=format_)
    assert [path for path, _ in errors] == (["template.0.name"] if is_refused else [])


def test_a_tag_in_a_turn_of_the_context_is_refused_too() -> None:
    turns = [{"role": "user", "content": "{{text}}", "name": "{{document}}"}]
    context = {"collection": "c", "query": "q", "into": "history", "turns": turns}
    errors = registration_errors({"role": "placeholder", "name": "history"}, context=context, format="f-string")
    assert [path for path, _ in errors] == ["context.turns.0.name"]


NO_CALL = "which is no tool call before it; the ids of those are: "


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([calls("a"), result("a")], []),
        ([calls("a", "b"), result("b"), result("a"), calls("c"), result("c")], []),
        ([result("a")], [("template.0.tool_call_id", f"is 'a', {NO_CALL}none")]),
        ([calls("a", "b"), result("c")], [("template.1.tool_call_id", f"is 'c', {NO_CALL}'a', 'b'")]),
        ([result("a"), calls("a")], [("template.0.tool_call_id", f"is 'a', {NO_CALL}none")]),
        ([{"role": "placeholder", "name": "history"}, result("a")], []),
        (
            [result("a"), {"role": "placeholder", "name": "history"}],
            [("template.0.tool_call_id", f"is 'a', {NO_CALL}none")],
        ),
        (
            [calls("a", "a")],
            [("template.0.tool_calls.1.id", "is 'a', the id of template.0.tool_calls.0 already: each call has its own")],
        ),
        (
            [calls("a"), result("a"), calls("a"), result("a")],
            [("template.2.tool_calls.0.id", "is 'a', the id of template.0.tool_calls.0 already: each call has its own")],
        ),
    ],
)
def test_a_result_answers_a_call_before_it_and_each_call_has_its_own_id(
    messages: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    assert registration_errors(*messages) == expected


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"type": "file", "file": {"file_id": ""}}, "file.file_id"),
        ({"type": "file", "file": {"filename": "", "file_data": "x"}}, "file.filename"),
        ({"type": "file", "file": {"filename": "a", "file_data": ""}}, "file.file_data"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "input_audio.data"),
    ],
)
def test_an_empty_attachment_is_refused_in_a_template_and_in_a_value(part: dict[str, Any], path: str) -> None:
    message = {"role": "user", "content": [part]}
    expected = f"content.0.{path}", "is empty: it needs the file or its id, its name, or the audio"
    assert registration_errors(message) == [(f"template.0.{expected[0]}", expected[1])]
    history = prepare(chat({"role": "placeholder", "name": "history"}))
    with pytest.raises(InvalidVariables) as refused:
        history.render({"history": [message]})
    assert [(error.path, error.message) for error in refused.value.field_errors] == [(f"history.0.{expected[0]}", expected[1])]


def test_a_value_cannot_make_an_attachment_empty() -> None:
    prepared = prepare(chat({"role": "user", "content": [{"type": "file", "file": {"file_id": "{{id}}"}}]}))
    assert prepared.render({"id": "file-1"}).messages == ({"role": "user", "content": [FILE]},)
    with pytest.raises(InvalidVariables) as refused:
        prepared.render({"id": ""})
    assert [error.path for error in refused.value.field_errors] == ["template.0.content.0.file.file_id"]
