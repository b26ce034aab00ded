"""How a number, a truth value or a time is read from text: in one spelling only, so that no two readers see two values.

Python reads `1_0` as 10, and `+1`, ` 1`, `01` and the full-width digit one as 1; libraries read `on` as true and a number as a
time. A number that was mistyped then means another version. Here it is an error.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from promptuary.prompt.text import show_hidden

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_VERSION_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_EXACT_DIGITS = 15
"""The most digits that every double keeps."""
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}  # the second two as Python's `str` writes them


class RoundedNumber(float):
    """A number that was written with more digits, or smaller, than a double keeps: it comes back as another one."""

    __slots__ = ()


def read_float(text: str) -> float:
    """Return a number with a fraction or an exponent, as JSON writes it; a `RoundedNumber` where a double does not keep it."""
    number = float(text)
    if len(text) <= _EXACT_DIGITS and "e" not in text.lower():
        return number
    return number if not math.isfinite(number) or Decimal(text) == Decimal(repr(number)) else RoundedNumber(number)


def refuse_rounded(value: Any) -> Any:
    """Return a JSON value in which every number comes back as it was written.

    Raises:
        ValueError: for the first number that would come back as another one.
    """
    if (rounded := _first_rounded("", value)) is not None:
        place, number = rounded
        at = f"at '{place[1:]}', " if place else ""
        raise ValueError(f"{at}has more digits than a number keeps: it would come back as {number!r}; write that, or a text")
    return value


def _first_rounded(path: str, value: Any) -> tuple[str, float] | None:
    if isinstance(value, RoundedNumber):
        return path, float(value)
    if not isinstance(value, Mapping | list):
        return None
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    return next((rounded for key, part in parts if (rounded := _first_rounded(f"{path}.{key}", part))), None)


def parse_integer(text: str) -> int:
    """Return a whole number of at most 19 digits, as JSON writes it.

    Raises:
        ValueError: for any other spelling.
    """
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"must be a whole number in plain digits, such as 12{_unlike(text)}")
    return int(text)


def parse_version_number(text: str) -> int | None:
    """Return the number of a version, 1 to 999,999,999; None for any other text, such as a label, `01` or `1_0`."""
    return int(text) if _VERSION_NUMBER.fullmatch(text) else None


def parse_decimal(text: str) -> float:
    """Return a finite number, as JSON writes it.

    Raises:
        ValueError: for any other spelling, and for a number beyond the range of a double.
    """
    number = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"must be a number such as 0.25{_unlike(text)}")
    return number


def parse_boolean(text: str) -> bool:
    """Return a truth value.

    Raises:
        ValueError: for anything but `true` and `false`.
    """
    if text not in _BOOLEANS:
        raise ValueError(f"must be true or false{_unlike(text)}")
    return _BOOLEANS[text]


def parse_timestamp(text: str) -> datetime:
    """Return a time with its zone, as RFC 3339 writes it; seconds may be left out.

    Raises:
        ValueError: for any other spelling, and for a time that does not exist or is outside the years 1 to 9999 in UTC.
    """
    try:
        if _TIMESTAMP.fullmatch(text):
            return check_utc_years(datetime.fromisoformat(text))
    except ValueError:  # such as the 30th of February
        pass
    hint = "; in a query, write the plus sign as %2B" if " " in text else ""
    raise ValueError(f"must be a time with its zone, such as 2026-03-02T12:00:00Z{_unlike(text)}{hint}")


def check_utc_years(timestamp: datetime) -> datetime:
    """Return a time with a zone as it is, when UTC has it too: its offset may lead out of the years that exist.

    Raises:
        ValueError: for a time outside the years 1 to 9999 in UTC.
    """
    try:
        timestamp.astimezone(UTC)
    except OverflowError:
        raise ValueError("is a time outside the years 1 to 9999 in UTC") from None
    return timestamp


def _unlike(text: str) -> str:
    return f", not '{show_hidden(text, newlines=False)}'" if len(text) <= 40 and text.isprintable() else ""
