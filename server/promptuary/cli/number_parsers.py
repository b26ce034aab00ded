"""The parsers of numeric options: `typer.Option("--version", parser=integer, metavar="INTEGER")`.

Without a parser, Typer reads `1_0` as 10. A default that is a number already passes through.
"""

import typer

from promptuary.prompt.numbers import parse_decimal, parse_integer


def integer(value: str | int) -> int:
    """Return the value of an option that is a whole number.

    Raises:
        BadParameter: for any spelling but plain digits.
    """
    try:
        return parse_integer(value) if isinstance(value, str) else value
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def decimal(value: str | float) -> float:
    """Return the value of an option that is a number.

    Raises:
        BadParameter: for any spelling that JSON does not have, and for infinite numbers.
    """
    try:
        return parse_decimal(value) if isinstance(value, str) else value
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
