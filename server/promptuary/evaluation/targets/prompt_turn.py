"""A turn of a conversation with a prompt: the messages of its first call, and the further calls that answer tools."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.conversation import (
    TurnContext,
    TurnReplies,
    answer_message,
    call_id,
)
from promptuary.evaluation.conversations.message import Message, user_message
from promptuary.evaluation.json_object import JsonObject
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt

HISTORY = "history"
"""The variable or placeholder for the conversation so far, where a prompt has several placeholders."""
Ask = Callable[[Sequence[Message]], Awaitable[ModelReply]]


@dataclass(frozen=True)
class TurnMessages:
    """The messages of a turn's first call.

    Attributes:
        messages: all that the model gets.
        new: those of the user that this turn adds to the conversation.
    """

    messages: tuple[Message, ...]
    new: tuple[Message, ...]


def history_variable(prepared: PreparedPrompt, turn: TurnContext) -> str | None:
    """Return the variable that takes the conversation so far; None where the prompt has none.

    Raises:
        Invalid: for several placeholders of which none is called `history`, where there is a conversation so far.
    """
    context = prepared.content.context
    placeholders = [name for name in prepared.content.placeholders() if context is None or name != context.into]
    variable = prepared.variables.get(HISTORY)
    if HISTORY in placeholders or (variable is not None and variable.type == "array"):
        return HISTORY
    if len(placeholders) > 1:
        if not turn.history:
            return None
        names = ", ".join(placeholders)
        raise Invalid(f"the prompt has the placeholders {names}; call the one for the conversation so far '{HISTORY}'")
    return placeholders[0] if placeholders else None


def turn_values(case: Case, prepared: PreparedPrompt, turn: TurnContext | None) -> JsonObject:
    """Return the values of a case that the prompt has variables for, with the conversation so far after what the case has."""
    values = {name: value for name, value in case.vars.items() if name in prepared.variables}
    name = None if turn is None else history_variable(prepared, turn)
    if turn is not None and name is not None:
        own = values.get(name, [])
        if not isinstance(own, list):
            raise Invalid(
                f"the variable '{name}' takes the conversation so far, so the case's value must be a list of messages"
            )
        values[name] = [*own, *turn.history]
    return values


def turn_messages(rendered: RenderedPrompt, prepared: PreparedPrompt, turn: TurnContext) -> TurnMessages:
    """Put the conversation so far and the user's message into a rendered prompt.

    The prompt's last message, where it is the user's, is sent in the first turn, and again in each turn that has no message of
    its own. The conversation so far stands where the prompt's placeholder is, else before the message that is sent.

    Raises:
        Invalid: for a turn without a message of the user, or with one that the prompt has no place for.
    """
    messages = rendered.messages if rendered.messages is not None else (user_message(rendered.text or ""),)
    name = history_variable(prepared, turn)
    asks = bool(messages) and messages[-1]["role"] == "user"
    first, question = (messages[:-1], messages[-1:]) if asks else (messages, ())
    if turn.turn.user is not None:
        if name is not None and name not in prepared.content.placeholders():
            raise Invalid(f"the prompt writes the conversation into its text, so turn {turn.number} needs `vars` and no `user`")
        question = (*(question if turn.number == 1 else ()), user_message(turn.turn.user))
    elif not asks and turn.number > 1:
        raise Invalid(
            f"turn {turn.number} has no message of the user: the prompt does not end with one; write it as the turn's `user`"
        )
    history = turn.history if name is None else ()
    return TurnMessages((*first, *history, *question), question)


async def answer_turn(ask: Ask, messages: TurnMessages, turn: TurnContext, replies: list[ModelReply]) -> TurnReplies:
    """Call the model until it answers without a call of a tool; the case answers its calls.

    Args:
        ask: calls the model.
        messages: of the first call.
        turn: of the conversation.
        replies: is extended by each reply as soon as it is there.

    Raises:
        Invalid: for a call without a result, or more calls of the model than the case allows.
    """
    sent = list(messages.messages)
    added: list[Message] = list(messages.new)
    while True:
        reply = await ask(sent)
        replies.append(reply)
        added.append(answer_message(reply))
        if turn.tools is None or reply.invalid_tool_calls or not reply.tool_calls:
            _check_end(reply, turn)
            return TurnReplies(tuple(replies), tuple(added))
        if len(replies) >= turn.max_steps:
            raise Invalid(
                f"turn {turn.number} is not answered after {turn.max_steps} calls of the model, each of which calls tools; "
                "set `max_steps` in the case to allow more"
            )
        results = [
            {"role": "tool", "tool_call_id": call_id(call, number), "content": turn.tools.answer(call["name"], call["args"])}
            for number, call in enumerate(reply.tool_calls)
        ]
        sent += [added[-1], *results]
        added += results


def _check_end(reply: ModelReply, turn: TurnContext) -> None:
    """Check that a conversation can continue after a turn's last reply."""
    if turn.is_last:
        return
    if reply.invalid_tool_calls:
        name = reply.invalid_tool_calls[0]["name"]
        raise Invalid(f"the call of the tool '{name}' in turn {turn.number} has arguments that are no JSON object")
    if reply.tool_calls:
        name = reply.tool_calls[0]["name"]
        raise Invalid(
            f"the model called the tool '{name}' in turn {turn.number}, and another turn follows: "
            "write the tool's result in the case's `tool_results`"
        )
