import json
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from openai.types.chat import ChatCompletionMessage

from promptuary.client.rendering import rendering_body
from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.templates.preparation import prepare

PNG = "data:image/png;base64,iVBORw0KGgo="


def render(*history: Any, **values: Any) -> list[Any]:
    template = [{"role": "placeholder", "name": "history"}]
    prepared = prepare(Content.model_validate({"type": "chat", "template": template}))
    return list(prepared.render({"history": list(history), **values}).messages or ())


def errors(*history: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidVariables) as raised:
        render(*history)
    return [(error.path, error.message) for error in raised.value.field_errors]


def call(arguments: str, call_id: str = "call_1", name: str = "find") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (HumanMessage("hi"), {"role": "user", "content": "hi"}),
        (HumanMessage("hi", name="ana"), {"role": "user", "content": "hi", "name": "ana"}),
        (SystemMessage("Sort."), {"role": "system", "content": "Sort."}),
        (SystemMessage("Sort.", additional_kwargs={"__openai_role__": "developer"}), {"role": "developer", "content": "Sort."}),
        (ChatMessage("Sort.", role="developer"), {"role": "developer", "content": "Sort."}),
        (
            AIMessage("", tool_calls=[{"name": "find", "args": {"order": "Ø 7"}, "id": "call_1"}]),
            {"role": "assistant", "content": None, "tool_calls": [call('{"order": "Ø 7"}')]},
        ),
        (
            AIMessage("", invalid_tool_calls=[{"name": "find", "args": "{", "id": "call_1", "error": "cut off"}]),
            {"role": "assistant", "content": None, "tool_calls": [call("{")]},
        ),
        (AIMessageChunk("part"), {"role": "assistant", "content": "part"}),
        (
            AIMessage([{"type": "reasoning", "summary": []}, {"type": "text", "text": "Yes.", "annotations": []}]),
            {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
        ),
        (
            AIMessage(
                [{"type": "tool_use", "id": "call_1", "name": "find", "input": {}}],
                tool_calls=[{"name": "find", "args": {}, "id": "call_1"}],
            ),
            {"role": "assistant", "content": None, "tool_calls": [call("{}")]},
        ),
        (
            ToolMessage("found", tool_call_id="call_1", name="find", artifact={"rows": 3}),
            {"role": "tool", "content": "found", "name": "find", "tool_call_id": "call_1"},
        ),
        (
            HumanMessage(["What is it?", {"type": "image_url", "image_url": PNG}]),
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PNG}}],
            },
        ),
        (
            HumanMessage(
                [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}]
            ),
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                    {"type": "text", "text": "b"},
                ],
            },
        ),
        (
            HumanMessage([{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}]),  # LangChain's block
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
        ),
        (
            HumanMessage(  # Anthropic's block
                [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                        "cache_control": {"type": "ephemeral"},
                    }
                ]
            ),
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": PNG}, "cache_control": {"type": "ephemeral"}}],
            },
        ),
        (
            HumanMessage([{"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"}]),
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]},
        ),
        (
            HumanMessage([{"type": "file", "base64": "JVBERg==", "mime_type": "application/pdf", "filename": "a.pdf"}]),
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}
                ],
            },
        ),
        (
            ChatCompletionMessage.model_validate({"role": "assistant", "content": None, "tool_calls": [call("{}")]}),
            {"role": "assistant", "content": None, "tool_calls": [call("{}")]},
        ),
        (
            ChatCompletionMessage.model_validate({"role": "assistant", "content": "Yes.", "refusal": None, "annotations": []}),
            {"role": "assistant", "content": "Yes."},
        ),
    ],
    ids=str,
)
def test_a_message_object_is_rendered_in_openais_form(message: Any, expected: dict[str, Any]) -> None:
    assert render({"role": "user", "content": "x"}, message) == [{"role": "user", "content": "x"}, expected]
    assert rendering_body("a", {"history": [message]}, None, None, None, None)["variables"] == {"history": [expected]}


def test_a_tag_in_a_message_object_is_text() -> None:
    assert render(HumanMessage("{{history}} {{> other}}")) == [{"role": "user", "content": "{{history}} {{> other}}"}]


def test_an_object_that_is_no_chat_message_is_refused_with_its_place() -> None:
    assert errors(HumanMessage("x"), FunctionMessage("x", name="f")) == [
        ("history.1", "is a FunctionMessage, which is not a message of a chat")
    ]
    assert errors(HumanMessage([{"type": "video", "url": "https://secret.example/v"}])) == [
        ("history.0.content.0", "is a block of the type 'video', which has no equivalent in OpenAI's form")
    ]
    assert errors(HumanMessage([{"type": "image_url", "image_url": {"url": "http://secret.example/a.png"}}])) == [
        ("history.0.content.0.image_url.url", "must be an https: URL or a data: URL")
    ]
    assert errors(ToolMessage("x", tool_call_id="")) == [("history.0.tool_call_id", "String should have at least 1 character")]
    refusal = ChatCompletionMessage.model_validate({"role": "assistant", "content": None, "refusal": "I cannot."})
    assert ("history.0.refusal", "is not a known field") in errors(refusal)


def test_messages_of_plain_json_import_no_other_library() -> None:
    code = (
        "import sys, json\n"
        "from promptuary.prompt.content import Content\n"
        "from promptuary.prompt.templates.preparation import prepare\n"
        "template = [{'role': 'placeholder', 'name': 'history'}]\n"
        "prepared = prepare(Content.model_validate({'type': 'chat', 'template': template}))\n"
        f"history = [{{'role': 'assistant', 'tool_calls': {[call('{}')]!r}}}]\n"
        "prepared.render({'history': history})\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} & {'langchain_core', 'openai'})))\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(output.stdout) == []
