"""The reasoning of a model, which providers send beside the output or inside it; it is kept apart and scored by nobody."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptuary.prompt.text import replace_refused

_OPENING = re.compile(r"\s*<think>", re.IGNORECASE)
_CLOSING = re.compile(r"</think>", re.IGNORECASE)
_CLOSING_LINE = re.compile(r"^[ \t]*</think>[ \t]*$", re.MULTILINE)


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a text into its reasoning and its output.

    The reasoning is in `<think>` tags at the beginning; others, such as `<thinking>`, are often what a prompt wants. A chat
    template may have the opening tag in the prompt, so that the text has `</think>` alone, on a line of its own. A text that
    was cut has no closing tag, and is all reasoning.
    """
    blocks: list[str] = []
    place = 0
    while opening := _OPENING.match(text, place):
        closing = _CLOSING.search(text, opening.end())
        blocks.append(text[opening.end() : closing.start() if closing else None].strip())
        place = closing.end() if closing else len(text)
    if not blocks:
        alone = _CLOSING_LINE.search(text)
        if alone is not None and "<think" not in text[: alone.start()].lower():
            return text[: alone.start()].strip(), text[alone.end() :]
    return "\n".join(filter(None, blocks)), text[place:]


def message_reasoning(message: Any) -> str:
    """Return the reasoning that a LangChain message has beside its text, in any provider's form; empty for none."""
    extra = getattr(message, "additional_kwargs", None) or {}
    texts = [*_texts_of(extra.get("reasoning_content")), *_texts_of(extra.get("reasoning"))]
    content = getattr(message, "content", None)
    for block in content if isinstance(content, list) else ():
        if isinstance(block, Mapping) and block.get("type") in ("thinking", "reasoning", "reasoning_content"):
            texts += _texts_of(block)
    return replace_refused("\n".join(dict.fromkeys(filter(None, map(str.strip, texts)))))


def _texts_of(value: Any) -> list[str]:
    """Return the texts of a part: itself, or those under the keys of Anthropic, OpenAI, Bedrock and LangChain."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        keys = ("thinking", "reasoning", "reasoning_content", "text", "summary", "content")
        return list(_joined(value.get(key) for key in keys))
    return list(_joined(value)) if isinstance(value, list) else []


def _joined(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from _texts_of(value)
