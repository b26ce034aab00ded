"""What messages of agents must meet to be registered: calls and results that fit, no tag where none is read, no empty file."""

from collections.abc import Iterator, Sequence
from typing import Any

from promptuary.prompt.content import Content, Format, Placeholder
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.messages.message import Message, empty_attachments
from promptuary.prompt.templates.preparation import parser_of
from promptuary.prompt.templates.tree import Literal

_SHOWN_CHARACTERS = 60
_SHOWN_IDS = 8
_Path = tuple[str | int, ...]


def message_field_errors(content: Content) -> Iterator[FieldError]:
    """Yield every error of the messages of a content: of its template, and of the turns of its context."""
    if not isinstance(content.template, str):
        yield from _list_errors("template", content.template, content.format)
    if content.context and content.context.turns:
        yield from _list_errors("context.turns", content.context.turns, "mustache")


def _list_errors(path: str, messages: Sequence[Message | Placeholder], format_: Format) -> Iterator[FieldError]:
    for number, message in enumerate(messages):
        if isinstance(message, Message):
            yield from _tag_errors(f"{path}.{number}", message, format_)
            yield from empty_attachments(message.fields(), f"{path}.{number}")
    yield from _call_errors(path, messages)


def _tag_errors(path: str, message: Message, format_: Format) -> Iterator[FieldError]:
    """Yield an error for each text with a tag that would be sent as it is written."""
    templates = {field.path for field in message.fields()}
    for place, text in _texts(message.model_dump(mode="json"), ()):
        if place not in templates and "{" in text and not _is_literal(text, format_):
            reason = f"'{_short(text)}' has a tag, but no variable works here: write the text itself, without the braces"
            yield FieldError(".".join([path, *map(str, place)]), reason)


def _texts(value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    """Yield each text in a message's JSON with the keys and indices that lead to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _texts(member, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))


def _is_literal(text: str, format_: Format) -> bool:
    """Return whether a text means itself in a format: it parses, and to nothing but this text."""
    try:
        nodes = parser_of(format_)(text, "")
    except InvalidPrompt:
        return False
    return all(isinstance(node, Literal) for node in nodes) and text == "".join(
        node.text for node in nodes if isinstance(node, Literal)
    )


def _call_errors(path: str, messages: Sequence[Message | Placeholder]) -> Iterator[FieldError]:
    """Yield an error for each call with the id of another one, and for each result that does not answer a call before it.

    A placeholder may contain the call. A chat without tool calls may have messages of the role tool as texts, without an id:
    earlier releases and other registries have such.
    """
    has_calls = any(isinstance(message, Message) and message.tool_calls for message in messages)
    places: dict[str, str] = {}
    is_complete = True
    for number, message in enumerate(messages):
        if isinstance(message, Placeholder):
            is_complete = False
            continue
        for call_number, call in enumerate(message.tool_calls or ()):
            place = f"{path}.{number}.tool_calls.{call_number}"
            if (first := places.setdefault(call.id, place)) != place:
                yield FieldError(f"{place}.id", f"is '{_short(call.id)}', the id of {first} already: each call has its own")
        answered = message.tool_call_id
        if message.role == "tool" and answered is None and has_calls:
            yield FieldError(f"{path}.{number}.tool_call_id", "is required: the id of the tool call whose result this is")
        elif answered is not None and is_complete and answered not in places:
            ids = ", ".join(f"'{_short(call_id)}'" for call_id in list(places)[:_SHOWN_IDS]) or "none"
            reason = f"is '{_short(answered)}', which is no tool call before it; the ids of those are: {ids}"
            yield FieldError(f"{path}.{number}.tool_call_id", reason)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
