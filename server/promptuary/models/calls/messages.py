"""The messages of a request, as LangChain's models take them, and the images in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.messages.langchain_messages import message_object

_PLAIN_ROLES = frozenset({"system", "user", "assistant"})


@dataclass(frozen=True)
class ImageCount:
    """How many images a request has, and the characters of their URLs, which may contain the images."""

    number: int
    size: int


def langchain_input(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return messages in OpenAI's form as a LangChain model takes them: plain ones as they are, others as message objects."""
    return [dict(message) if _is_plain(message) else message_object(message) for message in messages]


def count_images(messages: Sequence[Mapping[str, Any]]) -> ImageCount:
    """Count the images of messages in OpenAI's form."""
    urls = list(_image_urls(messages))
    return ImageCount(len(urls), sum(map(len, urls)))


def _is_plain(message: Mapping[str, Any]) -> bool:
    return len(message) == 2 and isinstance(message.get("content"), str) and message.get("role") in _PLAIN_ROLES


def _image_urls(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "image_url":
                yield part["image_url"]["url"]
