"""Messages in OpenAI's form as one text, for people and judges."""

import json
from collections.abc import Iterable

from promptuary.evaluation.conversations.message import Message


def transcript(messages: Iterable[Message]) -> str:
    """Return messages as one text, each under its role; calls of tools in a line each."""
    return "\n\n".join(f"[{message['role']}]\n{_message_lines(message)}" for message in messages)


def _message_lines(message: Message) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
    calls = [
        f"calls {call['function']['name']} with {call['function']['arguments']}" for call in message.get("tool_calls") or ()
    ]
    return "\n".join(filter(None, [text, *calls]))
