"""Message objects of applications, in OpenAI's form: LangChain's messages, and the OpenAI SDK's.

No library is imported that the application has not imported already: an object of LangChain's proves that it has.
"""

from collections.abc import Mapping
from typing import Any

from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.langchain_messages import NotConvertible, is_langchain_message, openai_message

_EMPTY_OF_A_REPLY = ("annotations", "audio", "function_call", "parsed", "reasoning_content", "refusal", "tool_calls")
"""Fields of the OpenAI SDK's replies that mean nothing where they are empty."""


def json_messages(values: Any, path: str, field_errors: list[FieldError]) -> Any:
    """Return a list of messages with each object in OpenAI's JSON form; anything else is returned as it is.

    Args:
        values: what an application passes as the value of a placeholder.
        path: its place, for errors.
        field_errors: receives an error for each object that has no such form.
    """
    if not isinstance(values, list | tuple) or all(type(item) is dict for item in values):
        return values
    messages = []
    for number, item in enumerate(values):
        try:
            messages.append(_json_message(item))
        except NotConvertible as error:
            where = ".".join(filter(None, [path, str(number), error.path]))
            field_errors.append(FieldError(where, str(error)))
            messages.append(item)
    return messages


def _json_message(item: Any) -> Any:
    if is_langchain_message(item):
        return openai_message(item)
    if isinstance(item, Mapping):
        return dict(item)
    dump = getattr(item, "model_dump", None)
    if dump is None or not hasattr(item, "role"):
        return item
    body = dump(mode="json", exclude_none=True)
    message = {key: value for key, value in body.items() if value or key not in _EMPTY_OF_A_REPLY}
    if "tool_calls" in message:
        message.setdefault("content", None)
    return message
