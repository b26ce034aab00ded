"""The types of numbers, truth values and times in a query, a path or a header; all of them are read strictly.

Each is used as `Annotated[int, Query(ge=1), STRICT_INTEGER]`. A test goes through the OpenAPI document and finds a parameter
that lacks it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from promptuary.prompt.numbers import parse_boolean, parse_decimal, parse_integer, parse_timestamp


def _read(parse: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


STRICT_INTEGER = _read(parse_integer)
STRICT_DECIMAL = _read(parse_decimal)

Flag = Annotated[bool, _read(parse_boolean)]
Timestamp = Annotated[datetime, _read(parse_timestamp)]
