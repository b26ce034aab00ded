"""Messages and answers in the forms of OpenAI, LangChain, Anthropic, the AI SDK and the GenAI conventions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.traffic.calls.model_call import CallMessage, ReportedToolCall
from promptuary.traffic.otlp.attribute_values import CutJson, clean, parse_or_none, short_text

ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "model": "assistant",
    "function": "tool",
}
"""Roles of other formats, and OpenAI's names for them."""
TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
CALL_PARTS = frozenset({"tool_call", "tool-call", "tool_use", "function_call"})
ITEMS_LIMIT = 10_000
"""The most messages of a call, and the most parts of a message."""
RESULT_PARTS = frozenset({"tool_call_response", "tool-result", "tool_result", "function_call_output"})
REASONING_PARTS = frozenset({"reasoning", "thinking", "redacted_thinking"})


@dataclass
class MessageParts:
    """What a message consists of. `others` are the parts in order, where some are no text."""

    texts: list[str] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)
    has_others: bool = False
    tool_calls: list[ReportedToolCall] = field(default_factory=list)
    results: list[CallMessage] = field(default_factory=list)

    @property
    def content(self) -> Any:
        """The content as OpenAI has it: a text, a list of parts, or None."""
        if self.has_others or len(self.texts) > 1:
            return self.others
        return self.texts[0] if self.texts else None


@dataclass
class ModelAnswer:
    """An answer of a model. Of several choices, it is the first."""

    text: str | None = None
    tool_calls: Sequence[ReportedToolCall] = ()
    finish: Any = None
    response_id: str | None = None
    model: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


def tool_arguments(value: Any) -> Any:
    """Return the arguments of a tool call: the parsed JSON, or the text where it is none."""
    if isinstance(value, str):
        parsed = parse_or_none(value)
        return clean(value) if parsed is None else parsed
    return value


def read_tool_calls(calls: Any) -> list[ReportedToolCall]:
    """Read tool calls of a message: OpenAI's with a `function`, LangChain's with `args`, or the AI SDK's."""
    return [_tool_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _tool_call(call: Mapping[str, Any]) -> ReportedToolCall:
    function = call.get("function")
    body = function if isinstance(function, dict) else call
    arguments = next((body[name] for name in ("arguments", "args", "input") if body.get(name) is not None), None)
    return ReportedToolCall(
        id=short_text(call.get("id") or call.get("toolCallId") or call.get("call_id")),
        name=short_text(body.get("name") or body.get("toolName")),
        arguments=tool_arguments(arguments),
    )


def read_parts(parts: Sequence[Any]) -> MessageParts:
    """Read the parts of a message. Reasoning is none of its content; an empty text is left out."""
    if len(parts) > ITEMS_LIMIT:
        raise CutJson("a message of too many parts")
    result = MessageParts()
    for part in parts:
        if isinstance(part, str):
            _append_text(result, part)
            continue
        if not isinstance(part, dict):
            continue
        part_type = _type(part)
        if part_type in TEXT_PARTS or (part_type is None and isinstance(part.get("text"), str)):
            text = part.get("text", part.get("content"))
            _append_text(result, text if isinstance(text, str) else "")
        elif part_type in CALL_PARTS:
            result.tool_calls.append(_tool_call(part))
        elif part_type in RESULT_PARTS:
            result.results.append(_result(part))
        elif part_type == "refusal":
            _append_text(result, str(part.get("refusal") or ""))
        elif part_type not in REASONING_PARTS:
            result.has_others = True
            result.others.append(part)
    return result


def _append_text(parts: MessageParts, text: str) -> None:
    if text:
        text = clean(text)
        parts.texts.append(text)
        parts.others.append({"type": "text", "text": text})


def _result(part: Mapping[str, Any]) -> CallMessage:
    content = next((part[name] for name in ("response", "result", "output", "content") if part.get(name) is not None), None)
    if isinstance(content, dict) and set(content) == {"type", "value"}:
        content = content["value"]
    call_id = part.get("id") or part.get("toolCallId") or part.get("tool_use_id") or part.get("call_id")
    return CallMessage("tool", content, tool_call_id=short_text(call_id))


def read_messages(value: Any) -> list[CallMessage] | None:
    """Read the input of a call; None where the value has no messages.

    Args:
        value: a list of messages, a list of such lists, a text, or an object whose `messages`, `input` or `prompt` is that.

    Raises:
        CutJson: for more messages or parts than are read.
    """
    if isinstance(value, str):
        return [CallMessage("user", clean(value))]
    if isinstance(value, dict):
        if "role" in value and "content" in value:
            return _read_message(value)
        return _messages_of_object(value)
    if not isinstance(value, list) or not value:
        return None
    if isinstance(value[0], list):  # LangChain sends a batch, of one
        return read_messages(value[0])
    if len(value) > ITEMS_LIMIT:
        raise CutJson("too many messages")
    messages: list[CallMessage] = []
    for item in value:
        messages += _read_message(item)
    return messages


def _messages_of_object(value: Mapping[str, Any]) -> list[CallMessage] | None:
    for name in ("messages", "input", "contents", "prompt"):
        if value.get(name) is None:
            continue
        messages = read_messages(value[name])
        if messages is None:
            return None
        before = value.get("instructions") or value.get("system")
        return read_system(before) + messages
    return None


def read_system(instructions: Any) -> list[CallMessage]:
    """Read what an API takes apart from the chat as the system message that it is; nothing where there is none."""
    if isinstance(instructions, str):
        return [CallMessage("system", clean(instructions))] if instructions else []
    if not isinstance(instructions, list):
        return []
    texts = read_parts([part for part in instructions if isinstance(part, dict | str)]).texts
    return [CallMessage("system", "\n".join(texts))] if texts else []


def _read_message(item: Any) -> list[CallMessage]:
    if isinstance(item, str):
        return [CallMessage("user", clean(item))]
    if not isinstance(item, dict):
        return []
    if (plain := _plain_message(item)) is not None:
        return [plain]
    if _type(item) in CALL_PARTS and "role" not in item:  # of OpenAI's Responses
        return [CallMessage("assistant", tool_calls=(_tool_call(item),))]
    if _type(item) in RESULT_PARTS and "role" not in item:
        return [_result(item)]
    role, body = _role_and_body(item)
    content = body.get("parts") if isinstance(body.get("parts"), list) else body.get("content")
    parts = read_parts(content) if isinstance(content, list) else MessageParts()
    calls = read_tool_calls(body.get("tool_calls")) or read_tool_calls(_kwargs(body).get("tool_calls")) or parts.tool_calls
    call_id = short_text(body.get("tool_call_id") or (body.get("id") if role == "tool" and "tool_calls" not in body else None))
    if isinstance(content, list):
        if parts.results and parts.content is None and not calls:
            return parts.results
        return [*parts.results, CallMessage(role, parts.content, tuple(calls), call_id)]
    if isinstance(content, str):
        content = clean(content)
        content = None if content == "" and calls else content
    return [CallMessage(role, content, tuple(calls), call_id)]


def _plain_message(item: Mapping[str, Any]) -> CallMessage | None:
    """Return a message of a role and one text, which nearly all are; None for any other, which takes longer to read."""
    role, parts = item.get("role"), item.get("parts")
    if type(role) is not str or role in ROLES or role == "tool" or "tool_calls" in item or "additional_kwargs" in item:
        return None
    if parts is None:
        text = item.get("content")
    elif type(parts) is list and len(parts) == 1 and type(parts[0]) is dict and parts[0].get("type") == "text":
        text = parts[0].get("content")
    else:
        return None
    return CallMessage(short_text(role) or "user", clean(text)) if type(text) is str and text else None


def _role_and_body(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the role of a message, and the object that has its content: LangChain's two forms have one inside."""
    body: Mapping[str, Any] = item
    if "lc" in item and isinstance(item.get("kwargs"), dict):
        body = item["kwargs"]
    elif isinstance(item.get("data"), dict) and "type" in item:
        body = item["data"]
    role = body.get("role")
    if not isinstance(role, str):
        role = body.get("type") if isinstance(body.get("type"), str) else item.get("type")
    role = short_text(role) or "user"
    return ROLES.get(role, role), body


def _kwargs(body: Mapping[str, Any]) -> Mapping[str, Any]:
    value = body.get("additional_kwargs")
    return value if isinstance(value, dict) else {}


def read_answer(value: Any) -> ModelAnswer:
    """Read the answer of a model: a completion, LangChain's generations, OpenAI's Responses, a message, or a text."""
    if isinstance(value, str):
        return ModelAnswer(text=clean(value))
    if isinstance(value, list):
        return _of_items(value)
    if not isinstance(value, dict):
        return ModelAnswer()
    if isinstance(value.get("choices"), list):
        return _of_choices(value)
    if isinstance(value.get("generations"), list):
        return _of_generations(value["generations"])
    if "output" in value:
        answer = read_answer(value["output"])
        answer.response_id = answer.response_id or short_text(value.get("id"))
        answer.model = answer.model or short_text(value.get("model"))
        answer.usage = answer.usage or _object(value.get("usage"))
        return answer
    return _of_message(value)


def _of_choices(value: Mapping[str, Any]) -> ModelAnswer:
    choice = _object(value["choices"][0]) if value["choices"] else {}
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        message = {"role": "assistant", "content": choice.get("text")}
    answer = _of_message(message)
    answer.finish = choice.get("finish_reason")
    answer.response_id = short_text(value.get("id"))
    answer.model = short_text(value.get("model"))
    answer.usage = _object(value.get("usage"))
    return answer


def _of_generations(generations: list[Any]) -> ModelAnswer:
    first = generations[0] if generations else None
    generation = _object(first[0] if isinstance(first, list) and first else first)
    message = _object(generation.get("message"))
    if not message:
        text = generation.get("text")
        return ModelAnswer(text=clean(text) if isinstance(text, str) else None)
    answer = _of_message(message)
    answer.finish = answer.finish or _object(generation.get("generation_info")).get("finish_reason")
    return answer


def _of_message(message: Mapping[str, Any]) -> ModelAnswer:
    if (plain := _plain_message(message)) is not None and "id" not in message and "response_metadata" not in message:
        return ModelAnswer(text=plain.content, finish=message.get("finish_reason") or message.get("stop_reason"))
    read = [item for item in _read_message(message) if item.role != "tool"]
    if not read:
        return ModelAnswer()
    body = _role_and_body(message)[1]
    metadata = _object(body.get("response_metadata"))
    content = read[0].content
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if isinstance(part.get("text"), str)) or None
    refusal = body.get("refusal")
    if content is None and isinstance(refusal, str):
        content = clean(refusal)
    own_id = short_text(body.get("id"))
    return ModelAnswer(
        text=content if isinstance(content, str) else None,
        tool_calls=read[0].tool_calls,
        finish=body.get("finish_reason") or metadata.get("finish_reason") or body.get("stop_reason"),
        # LangChain makes up an id where the provider's is in the metadata.
        response_id=short_text(metadata.get("id")) or (own_id if own_id and not own_id.startswith(("lc_", "run-")) else None),
        model=short_text(metadata.get("model_name") or metadata.get("model") or body.get("model")),
        usage=_object(body.get("usage_metadata") or body.get("usage")),
    )


def _of_items(items: list[Any]) -> ModelAnswer:
    """Read a list: the output of OpenAI's Responses, or choices, of which the first counts."""
    objects = [item for item in items if isinstance(item, dict)]
    if not any("type" in item and "lc" not in item for item in objects):
        return _of_message(objects[0]) if objects else ModelAnswer()
    texts: list[str] = []
    calls: list[ReportedToolCall] = []
    for item in objects:
        if _type(item) in REASONING_PARTS:
            continue
        for message in _read_message({"role": "assistant", "content": [item]} if _type(item) in TEXT_PARTS else item):
            calls += message.tool_calls
            parts = message.content if isinstance(message.content, list) else [{"text": message.content}]
            texts += [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return ModelAnswer(text="".join(texts) if texts else None, tool_calls=calls)


def _type(value: Mapping[str, Any]) -> str | None:
    name = value.get("type")
    return name if isinstance(name, str) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
