"""A content in its canonical form, encoded once for the digest and for the database."""

import hashlib
from dataclasses import dataclass

from promptuary.prompt.content import Content
from promptuary.prompt.digest import canonical_json, content_json


@dataclass(frozen=True)
class EncodedContent:
    """A content with its canonical JSON (RFC 8785) and the digest of that JSON."""

    content: Content
    canonical: str
    digest: str


def encode_content(content: Content) -> EncodedContent:
    """Encode a whole content.

    Raises:
        Invalid: when a value has no canonical form.
    """
    canonical = canonical_json(content_json(content))
    return EncodedContent(content, canonical.decode(), "sha256:" + hashlib.sha256(canonical).hexdigest())
