"""Why a model stopped, by one word for all providers."""

from typing import Any

from promptuary.traffic.otlp.attribute_values import parse_or_none, short_text

WORDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "eos": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content-filter": "content_filter",
    "safety": "content_filter",
}


def read_finish(value: Any) -> str | None:
    """Return the normalised finish reason of the first choice; None for an empty one.

    Args:
        value: a word, a list of words, or such a list as JSON.
    """
    if isinstance(value, str) and value.startswith("["):
        value = parse_or_none(value)
    if isinstance(value, list):
        value = value[0] if value else None
    word = short_text(value) if isinstance(value, str) else None
    if word is None:
        return None
    word = word.lower()
    return WORDS.get(word, word)
