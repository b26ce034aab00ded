"""Pages of a list: a limit, and a cursor that names the last row seen. Rows that are added in between do not shift a page."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from promptuary.core.errors import InvalidCursor
from promptuary.prompt.text import refused_character

T = TypeVar("T")
Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of the next ones, if there are any."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(last: Any) -> str:
    """Return an opaque cursor for the key of the last row seen: a string or an integer."""
    return base64.urlsafe_b64encode(json.dumps(last).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, kind: type[Key]) -> Key | None:
    """Return the key in a cursor.

    Raises:
        InvalidCursor: for a cursor that this server did not create.
    """
    if cursor is None:
        return None
    try:
        value = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        value = None
    if type(value) is not kind or not _storable(value) or encode_cursor(value) != cursor.rstrip("="):
        raise InvalidCursor("the cursor does not come from this server; start again without one")
    return value


def _storable(value: str | int) -> bool:
    """Return whether a database can compare the value with the name or number of a row."""
    if isinstance(value, int):
        return 0 <= value < 2**31
    return refused_character(value) is None


def build_page(rows: Sequence[T], limit: int, key: Callable[[T], str | int]) -> Page[T]:
    """Build a page of `limit` rows from a query for one row more; `key` returns what a row is ordered by."""
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, encode_cursor(key(items[-1])) if more else None)
