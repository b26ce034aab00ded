"""Pages of a list: a limit, and a cursor that names the last row seen. Rows that come in between do not shift a page."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from promptuary.core.errors import MalformedBody
from promptuary.prompt.text import refused_character

T = TypeVar("T")
Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of the next ones, if there are any."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(last: Any) -> str:
    """Give an opaque cursor for the key of the last row seen: a string or an integer."""
    return base64.urlsafe_b64encode(json.dumps(last).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, kind: type[Key]) -> Key | None:
    """Read a cursor back.

    Raises:
        MalformedBody: for one that this server did not give.
    """
    if cursor is None:
        return None
    try:
        value = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        value = None
    if type(value) is not kind or not _storable(value):
        raise MalformedBody("the cursor is none that this server gave; start again without one")
    return value


def _storable(value: str | int) -> bool:
    """Tell whether a database could compare the value with a name or a number of a row."""
    if isinstance(value, int):
        return 0 <= value < 2**31
    return refused_character(value) is None


def build_page(rows: Sequence[T], limit: int, key: Callable[[T], str | int]) -> Page[T]:
    """Make a page of `limit` from rows that were asked for one more; `key` gives a row's place."""
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(shown, encode_cursor(key(shown[-1])) if more else None)
