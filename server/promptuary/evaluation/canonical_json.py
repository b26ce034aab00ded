"""Values that canonical JSON (RFC 8785) cannot represent, so that they would have no digest."""

import math
from collections.abc import Iterator
from typing import Any

from promptuary.core.wire import DEPTH_LIMIT
from promptuary.prompt.text import refused_character

INTEGER_LIMIT = 2**53 - 1


def unsupported_values(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield a message for each part of a JSON value that canonical JSON cannot represent."""
    if depth > DEPTH_LIMIT:
        yield f"is nested more than {DEPTH_LIMIT} deep"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unsupported_values(key, depth + 1)
            yield from unsupported_values(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from unsupported_values(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield "has a number that is not finite"
    elif isinstance(value, int) and abs(value) > INTEGER_LIMIT:
        yield "has an integer beyond 2^53, which JSON's readers do not agree on; give it as a string"
    elif isinstance(value, str) and (message := refused_character(value)) is not None:
        yield message
