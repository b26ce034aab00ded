from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json, content_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.validation_errors import field_errors_from

CALL = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"order": "{{order}}"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://img.example/{{order}}.png", "detail": "low"}}


def chat(*template: dict[str, Any]) -> Content:
    return Content.model_validate({"type": "chat", "template": list(template)})


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
    ],
    ids=str,
)
def test_a_message_of_an_agent_comes_back_as_it_was_sent(message: dict[str, Any]) -> None:
    content = chat(message)
    assert content_json(content)["template"] == [message]
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
