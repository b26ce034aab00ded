"""Messages that are given as values: the history of a conversation, for a placeholder of a chat."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.image_url import REFUSAL, is_image_url
from promptuary.prompt.messages.message import FieldKind, Message, MessageField, empty_attachments
from promptuary.prompt.validation_errors import field_errors_from

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


class InvalidMessages(Exception):
    """Values are not messages; `field_errors` has every error with its place, and repeats no value."""

    def __init__(self, field_errors: list[FieldError]) -> None:
        """Store the errors."""
        super().__init__("the values are not messages")
        self.field_errors = field_errors


def parse_message(value: Any, path: str) -> tuple[dict[str, Any], list[MessageField]]:
    """Return a message in OpenAI's form, and the texts in it.

    Args:
        value: a JSON value.
        path: its place, for errors.

    Raises:
        InvalidMessages: it is not a message.
    """
    if type(value) is dict and len(value) == 2:
        role, content = value.get("role"), value.get("content")
        if type(content) is str and type(role) is str and role in _ROLES:
            return {"role": role, "content": content}, [MessageField(("content",), content, FieldKind.TEXT)]
    if not isinstance(value, Mapping):
        raise InvalidMessages([FieldError(path, "must be a message: {role, content}")])
    try:
        message = Message.model_validate(dict(value))
    except ValidationError as error:
        raise InvalidMessages(field_errors_from(error, path)) from None
    fields = list(message.fields())
    field_errors = [
        FieldError(field.path_in(path), REFUSAL)
        for field in fields
        if field.kind is FieldKind.IMAGE_URL and not is_image_url(field.source)
    ]
    field_errors += empty_attachments(fields, path)
    if field_errors:
        raise InvalidMessages(field_errors)
    return message.as_rendered(), fields


def resembles_message(value: Any) -> bool:
    """Return whether a value is meant as a message: an object with a role, and with content or tool calls."""
    return isinstance(value, dict) and "role" in value and bool({"content", "tool_calls"} & value.keys())


def message_errors(values: Sequence[Any], path: str) -> list[FieldError]:
    """Return every error of values that should be messages, with its place."""
    field_errors: list[FieldError] = []
    for number, value in enumerate(values):
        try:
            parse_message(value, f"{path}.{number}")
        except InvalidMessages as error:
            field_errors += error.field_errors
    return field_errors
