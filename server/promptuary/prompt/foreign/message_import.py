"""The messages of imported chats: those of other registries that have OpenAI's form already."""

from collections.abc import Callable
from typing import Any, get_args

from pydantic import ValidationError

from promptuary.prompt.foreign.drafts import FieldReader, ImportDraft
from promptuary.prompt.messages.message import Message, Role
from promptuary.prompt.validation_errors import field_errors_from

ROLES = get_args(Role)
_NOTHING = {"role": "user", "content": ""}
"""Stands in for a message with errors, which are in the draft."""
_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")


def import_message(draft: ImportDraft, fields: FieldReader, convert: Callable[[str, str], str]) -> dict[str, Any]:
    """Return a message in the form of a content; its errors are recorded in the draft, its other keys as omissions.

    Args:
        draft: receives errors and remarks.
        fields: the message in OpenAI's form.
        convert: returns a template of the source, given its path in the file, in the form of a content.
    """
    body = {key: fields.unread.pop(key) for key in _KEYS if key in fields.unread}
    fields.report_unread("it has no place in a message")
    if (role := body.get("role")) not in ROLES:
        draft.add_error(fields.path_of("role"), f"is {role!a}; the roles here are {', '.join(ROLES[:-1])} and {ROLES[-1]}")
        return _NOTHING
    if not isinstance(body.get("content"), str | list | None):
        draft.add_error(fields.path_of("content"), "must be a text or a list of parts")
        return _NOTHING
    try:
        message = Message.model_validate(body)
    except ValidationError as error:
        draft.field_errors += field_errors_from(error, fields.path)
        return _NOTHING
    return message.with_sources(iter([convert(field.path_in(fields.path), field.source) for field in message.fields()]))
