"""LangChain's messages as replies: refusals and malformed tool calls are kept. Pure."""

import json

import pytest
from langchain_core.messages import AIMessage

from promptuary.models.calls.reply import parse_reply


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("", additional_kwargs={"refusal": "I can't."}),
        AIMessage([{"type": "refusal", "refusal": "I can't."}]),
        AIMessage([{"type": "non_standard", "value": {"type": "refusal", "refusal": "I can't."}}]),
    ],
)
def test_a_refusal_is_the_output_of_a_message_without_one(message: AIMessage) -> None:
    reply = parse_reply(message, 1.0)
    assert (reply.text, reply.refusal) == ("I can't.", "I can't.")


def test_a_refusal_stands_beside_an_output() -> None:
    reply = parse_reply(AIMessage("I began", additional_kwargs={"refusal": "I can't."}), 1.0)
    assert (reply.text, reply.refusal) == ("I began", "I can't.")


@pytest.mark.parametrize(
    "metadata", [{"finish_reason": "content_filter"}, {"stop_reason": "refusal"}, {"finish_reason": "SAFETY"}]
)
def test_an_output_that_the_providers_rules_ended_is_refused(metadata: dict[str, str]) -> None:
    reply = parse_reply(AIMessage("", response_metadata=metadata), 1.0)
    assert reply.refusal == f"the provider ended the output: {next(iter(metadata.values()))}"


@pytest.mark.parametrize("message", [AIMessage("yes"), AIMessage("", response_metadata={"finish_reason": "stop"})])
def test_other_messages_refuse_nothing(message: AIMessage) -> None:
    assert parse_reply(message, 1.0).refusal is None


def test_malformed_tool_calls_are_kept_and_shown_as_the_model_wrote_them() -> None:
    valid = {"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"}
    invalid = {"name": "g", "args": "{a", "id": "2", "error": "no JSON", "type": "invalid_tool_call"}
    reply = parse_reply(AIMessage("", tool_calls=[valid], invalid_tool_calls=[invalid]), 1.0)
    assert [call["name"] for call in reply.tool_calls] == ["f"]
    assert reply.invalid_tool_calls == ({"name": "g", "args": "{a", "id": "2", "error": "no JSON"},)
    calls = [(call["function"]["name"], call["function"]["arguments"]) for call in json.loads(reply.text)]
    assert calls == [("f", '{"a": 1}'), ("g", "{a")]


def test_a_malformed_tool_call_may_lack_everything() -> None:
    invalid = {"name": None, "args": None, "id": None, "error": None, "type": "invalid_tool_call"}
    reply = parse_reply(AIMessage("", invalid_tool_calls=[invalid]), 1.0)
    assert reply.invalid_tool_calls == ({"name": "", "args": "", "id": None, "error": ""},)


def test_the_output_beside_tool_calls_may_be_nested_without_end() -> None:
    text = "[" * 100_000
    reply = parse_reply(AIMessage(text, tool_calls=[{"name": "find", "args": {}, "id": "1"}]), 0.0)
    assert reply.output == text
