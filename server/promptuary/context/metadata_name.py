"""The names that a document's metadata may have: those that every index can filter by."""

_RESERVED_PREFIXES = ("$", "#", "chroma:")
"""Chroma takes such names for operators of a query, or for fields of its own."""


def is_filterable(name: str) -> bool:
    """Return whether the index accepts a metadata name; documents of earlier releases may have others."""
    return bool(name) and not name.startswith(_RESERVED_PREFIXES)


def checked_metadata_name(name: str) -> str:
    """Return a metadata name as it is.

    Raises:
        ValueError: for a name that the index does not accept.
    """
    if not is_filterable(name):
        raise ValueError("is no name of metadata: it must not be empty, or begin with `$`, `#` or `chroma:`")
    return name
