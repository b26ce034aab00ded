"""Times on the command line: how long ago, or when."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from promptuary.prompt.numbers import parse_timestamp

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"([1-9][0-9]{0,5})([mhdw])")


def since(text: str) -> str:
    """Return the time that `7d`, `12h`, `30m` or `2w` ago was, or a time as RFC 3339 writes it, in ISO format.

    Raises:
        BadParameter: for any other spelling.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        amounts: dict[str, Any] = {_UNITS[ago[2]]: int(ago[1])}
        try:
            return (datetime.now(UTC) - timedelta(**amounts)).isoformat(timespec="seconds")
        except OverflowError:
            raise typer.BadParameter(f"'{text}' is before the year 1") from None
    try:
        return parse_timestamp(text).isoformat()
    except ValueError as error:
        raise typer.BadParameter(f"{error}; or how long ago, such as 7d, 12h or 30m") from None
