"""The reasoning of a model, kept apart from its output, in the forms of several providers. Pure."""

import pytest
from langchain_core.messages import AIMessage

from promptuary.models.calls.reasoning import message_reasoning, split_reasoning
from promptuary.models.calls.reply import VERBATIM, parse_reply


@pytest.mark.parametrize(
    ("text", "reasoning", "output"),
    [
        ("yes", "", "yes"),
        ("<think>\nhm\n</think>\n\nyes", "\nhm\n", "\n\nyes"),
        ("  <THINK>hm</THINK>yes", "hm", "yes"),
        ("<thinking>hm</thinking>yes", "", "<thinking>hm</thinking>yes"),  # a prompt may want it
        ("<think></think>yes", "", "yes"),
        ("<think>a</think><think>b</think>yes", "a\nb", "yes"),
        ("hm\n</think>\nyes", "hm\n", "\nyes"),  # the template of the prompt had the opening tag
        ("Close it by </think>, then answer.", "", "Close it by </think>, then answer."),
        ("<think>cut", "cut", ""),
        ("<think>a</think>" * 2000 + "yes", "\n".join(["a"] * 2000), "yes"),
        ("the tag <think> is of models: <think>x</think>", "", "the tag <think> is of models: <think>x</think>"),
        ("", "", ""),
    ],
)
def test_tags_at_the_beginning_are_the_reasoning(text: str, reasoning: str, output: str) -> None:
    split = split_reasoning(text)
    assert (split[0].strip(), split[1]) == (reasoning.strip(), output)


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("yes", additional_kwargs={"reasoning_content": "hm"}),
        AIMessage("yes", additional_kwargs={"reasoning": {"summary": [{"type": "summary_text", "text": "hm"}]}}),
        AIMessage([{"type": "thinking", "thinking": "hm", "signature": "abc"}, {"type": "text", "text": "yes"}]),
        AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "yes"}]),
        AIMessage(
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
        ),
        AIMessage([{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}, {"type": "text", "text": "yes"}]),
    ],
)
def test_every_providers_reasoning_is_beside_the_output(message: AIMessage) -> None:
    assert message_reasoning(message) == "hm"
    reply = parse_reply(message, 1.0)
    assert (reply.text, reply.reasoning) == ("yes", "hm")


def test_a_message_without_reasoning_has_none() -> None:
    assert message_reasoning(AIMessage("yes")) == ""
    assert message_reasoning(AIMessage([{"type": "redacted_thinking", "data": "abc"}])) == ""


def test_a_verbatim_reply_is_not_split() -> None:
    reply = parse_reply(AIMessage("<think>hm</think> yes", response_metadata={VERBATIM: True}), 1.0)
    assert (reply.text, reply.reasoning) == ("<think>hm</think> yes", "")
