"""JSON in texts of models: strict, where NaN and Infinity are none, and found without that any text takes long to search."""

import json
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.json_object import JsonObject

ATTEMPTS_LIMIT = 3_000_000
"""How many characters attempts that fail may read in all; what is inside a broken object is read once for each outer one."""
_DIGITS_LIMIT = 4_300
"""Python converts no number of more digits."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _long_integer(digits: str) -> int | float:
    """Return a number as JavaScript has it, which is infinite where it has more than about 308 digits."""
    return int(digits) if len(digits) < _DIGITS_LIMIT else float(digits)


STRICT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_long_integer)
NAN_DECODER = json.JSONDecoder(parse_int=_long_integer)
"""Takes NaN and Infinity, too."""


@dataclass
class ObjectAttempts:
    """Attempts to parse the objects in one text, with a limit on what those that fail may read.

    Attributes:
        decoder: parses an object.
        left: how many characters failing attempts may still read.
    """

    decoder: json.JSONDecoder = STRICT_DECODER
    left: int = ATTEMPTS_LIMIT

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached, so that it is not known which objects follow."""
        return self.left < 0

    def parse(self, text: str, start: int = 0, end: int | None = None) -> tuple[JsonObject | None, int]:
        """Parse the JSON object that begins at a position; return it and its end, or None.

        Args:
            text: contains the object.
            start: of the object.
            end: where it ends by its braces, as far as an attempt may have read that does not state where it failed.
        """
        try:
            value, end = self.decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            self.left -= error.pos - start
        except (ValueError, RecursionError):
            self.left -= (len(text) if end is None else end) - start
        else:
            return value, end
        return None, start
