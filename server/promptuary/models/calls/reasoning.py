"""The reasoning of a model, which providers send beside the output or inside it; it is kept apart and scored by nobody."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptuary.prompt.text import replace_refused

_OPENING = re.compile(r"\s*<(think|thinking|reasoning)>", re.IGNORECASE)
_THINK_CLOSING = "</think>"


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a text into its reasoning and its output.

    The reasoning is in tags at the beginning. A chat template may have the opening tag in the prompt, so that the text has
    `</think>` alone; a text that was cut has no closing tag, and is all reasoning.
    """
    opening = _OPENING.match(text)
    if opening is not None:
        closing = re.compile(f"</{opening[1]}>", re.IGNORECASE).search(text, opening.end())
        if closing is None:
            return text[opening.end() :], ""
        reasoning, output = text[opening.end() : closing.start()], text[closing.end() :]
        more, rest = split_reasoning(output) if _OPENING.match(output) else ("", output)
        return "\n".join(filter(None, [reasoning.strip(), more.strip()])), rest
    before, tag, after = text.partition(_THINK_CLOSING)
    return (before, after) if tag and "<think" not in before.lower() else ("", text)


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
