"""A conversation while it takes place: its messages so far, in OpenAI's form, and what one turn adds to them."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from promptuary.evaluation.conversations.message import Message
from promptuary.evaluation.conversations.tool_results import ToolAnswers
from promptuary.evaluation.conversations.turn import Turn
from promptuary.evaluation.json_object import JsonObject
from promptuary.models.calls import ModelReply
from promptuary.models.calls.reply import own_text


@dataclass(frozen=True)
class TurnContext:
    """What a target knows of the conversation when it answers a turn.

    Attributes:
        turn: that is to be answered.
        number: of the turn, from 1.
        is_last: whether no other follows.
        history: the messages of the earlier turns: the user's, and the real answers.
        tools: answers calls of tools; None where the case has no results, so that a call is the answer.
        max_steps: the most model calls in the turn.
        conversation: an id that no other conversation has, for an application that keeps the history itself.
    """

    turn: Turn
    number: int
    is_last: bool
    history: tuple[Message, ...] = ()
    tools: ToolAnswers | None = None
    max_steps: int = 1
    conversation: str = field(default_factory=lambda: uuid.uuid4().hex)

    def following(self, turn: Turn, added: Sequence[Message], *, is_last: bool) -> "TurnContext":
        """Return the context of the next turn, after the messages that this one has added."""
        return replace(self, turn=turn, number=self.number + 1, history=(*self.history, *added), is_last=is_last)


@dataclass(frozen=True)
class TurnReplies:
    """The replies of a model in one turn, and the messages that the turn has added to the conversation.

    Attributes:
        replies: in their order: those that call tools, then the answer.
        added: the user's message, the calls with their results, and the answer.
    """

    replies: tuple[ModelReply, ...]
    added: tuple[Message, ...]

    @cached_property
    def reply(self) -> ModelReply:
        """All replies as one: the last one's output, the calls of all, and the sums of time, tokens and cost."""
        return summed_reply(self.replies)


def summed_reply(replies: Sequence[ModelReply]) -> ModelReply:
    """Return several replies as one: the last one's output, the calls of all, and the sums of time, tokens and cost.

    A sum of which a part is not known is not known.
    """
    last = replies[-1]
    if len(replies) == 1:
        return last
    return replace(
        last,
        tool_calls=tuple(call for reply in replies for call in reply.tool_calls),
        invalid_tool_calls=tuple(call for reply in replies for call in reply.invalid_tool_calls),
        reasoning="\n\n".join(reply.reasoning for reply in replies if reply.reasoning),
        tokens=summed_tokens(replies),
        cost=summed_cost(replies),
        latency_ms=sum(reply.latency_ms for reply in replies),
        cached=all(reply.cached for reply in replies),
    )


def summed_tokens(replies: Sequence[ModelReply]) -> dict[str, int] | None:
    """Return the sums of tokens; None where those of a reply are not known."""
    counts = [reply.tokens for reply in replies if reply.tokens is not None]
    if not counts or len(counts) < len(replies):
        return None
    return {name: sum(tokens.get(name, 0) for tokens in counts) for tokens in counts for name in tokens}


def summed_cost(replies: Sequence[ModelReply]) -> float | None:
    """Return the sum of costs; None where that of a reply is not known."""
    costs = [reply.cost for reply in replies if reply.cost is not None]
    return sum(costs) if costs and len(costs) == len(replies) else None


def answer_message(reply: ModelReply) -> Message:
    """Return a reply as the message that the next call of the model gets: its own text, and its calls of tools."""
    text = own_text(reply)
    calls = [
        {
            "id": call_id(call, number),
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
        }
        for number, call in enumerate(reply.tool_calls)
    ]
    if not calls:
        return {"role": "assistant", "content": text or reply.text}
    return {"role": "assistant", "content": text or None, "tool_calls": calls}


def call_id(call: JsonObject, number: int) -> str:
    """Return the id of a call, or one for a call that its provider gave none."""
    return str(call.get("id") or f"call_{number}")
