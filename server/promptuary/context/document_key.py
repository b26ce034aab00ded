"""The form of a document's id: a path of readable segments, so that a URL can name each document that is added."""

import re

from promptuary.prompt.text import HIDDEN

_UNREADABLE = re.compile(f"{HIDDEN}|[\t\n]")
_REFUSED_SEGMENTS = ("", ".", "..")


def checked_key(key: str) -> str:
    """Return a document's id as it is.

    Ids of earlier releases may have another form. They are read and deleted by the query parameter `id`.

    Raises:
        ValueError: for an id that a URL's path, or a person who reads it, would take for another one.
    """
    if _UNREADABLE.search(key):
        raise ValueError("has a character that is not seen or that changes how the text is shown; use visible characters")
    if _may_be_trimmed(key):
        raise ValueError("begins or ends with a space")
    if any(segment in _REFUSED_SEGMENTS for segment in key.split("/")):
        raise ValueError("is a path with an empty segment, `.` or `..`; write it like guides/setup")
    return key


def _may_be_trimmed(key: str) -> bool:
    return key != key.strip()
