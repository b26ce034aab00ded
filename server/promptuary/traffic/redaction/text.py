"""Redaction of one text by patterns."""

from collections.abc import Iterator
from functools import lru_cache

import re2

from promptuary.traffic.redaction import credentials, numbers
from promptuary.traffic.redaction.credentials import find_credentials
from promptuary.traffic.redaction.numbers import find_numbers
from promptuary.traffic.redaction.passage import PassageType, PersonalPassage, replace_passages

_AT = r"(?:@|%40|\\u0040|&#64;|\x{ff20})"
_EMAIL = re2.compile(r"[\pL\pN_.!#$%&'*+/=?^`{|}~-]+" + _AT + r"(?:[\pL\pN][\pL\pN_-]*[.\x{ff0e}])+\pL[\pL\pN_-]+")


_HINT = re2.compile("|".join((_AT, numbers.HINT, credentials.HINT)))
"""Matches where any of the patterns could: most texts have none of them, and are read once instead of seven times."""

_SHORT = 40
"""Characters of a text that is worth remembering."""


def redact_text(text: str) -> tuple[str, int]:
    """Return a text without e-mail addresses, card numbers, IBANs, phone numbers and credentials, and how many it had."""
    return _redact(text) if len(text) > _SHORT else _redact_short(text)


def _redact(text: str) -> tuple[str, int]:
    return replace_passages(text, _find_passages(text)) if _HINT.search(text) else (text, 0)


@lru_cache(maxsize=4096)
def _redact_short(text: str) -> tuple[str, int]:
    """Redact a short text, such as the name of a model, which most calls have in common."""
    return _redact(text)


def _find_passages(text: str) -> Iterator[PersonalPassage]:
    for match in _EMAIL.finditer(text):
        yield PersonalPassage(match.start(), match.end(), PassageType.EMAIL)
    yield from find_numbers(text)
    yield from find_credentials(text)
