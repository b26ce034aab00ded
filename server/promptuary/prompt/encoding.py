"""A content encoded once: the JSON for the database, and the digest."""

import json
from dataclasses import dataclass

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json, content_json_digest


@dataclass(frozen=True)
class EncodedContent:
    """A content with its JSON as it is stored, in the order and with the numbers in which it was sent, and its digest."""

    content: Content
    json: str
    digest: str


def encode_content(content: Content) -> EncodedContent:
    """Encode a whole content.

    Raises:
        Invalid: when a value has no canonical form.
    """
    parts = content_json(content)
    return EncodedContent(content, json.dumps(parts, ensure_ascii=False, separators=(",", ":")), content_json_digest(parts))


def erased_content(digest: str) -> EncodedContent:
    """Return what is stored of an erased version: its digest, and an empty text in place of the content."""
    return EncodedContent(Content(type="text", template=""), "", digest)
