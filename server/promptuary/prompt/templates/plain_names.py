"""The names in contents whose templates have plain tags alone: `{{name}}`, in texts and in messages of a text.

Most contents are so, and their names need no parser. Lookups read them for thousands of versions when a server starts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN_TAG = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_OTHER_TEMPLATES = ("partials", "context")
"""The parts of a content that have templates of their own."""


def plain_names(content: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the names that a registered content uses; None where a parser is needed.

    Args:
        content: as it is stored; parts that were not set are missing or null.
    """
    if content.get("format") not in (None, "mustache") or any(content.get(part) for part in _OTHER_TEMPLATES):
        return None
    names: set[str] = set()
    for text in _texts(content["template"]):
        if text is None or "{{{" in text:
            return None
        tags = _PLAIN_TAG.findall(text)
        if len(tags) != text.count("{{"):
            return None
        names.update(tags)
    return frozenset(names)


def _texts(template: Any) -> Iterator[str | None]:
    """Yield the text of a template, or of each of its messages; None for a message that has more than a text."""
    for message in [{"content": template}] if isinstance(template, str) else template:
        has_more = any(value is not None for member, value in message.items() if member not in ("role", "content"))
        text = message.get("content")
        yield None if has_more or not isinstance(text, str) else text
