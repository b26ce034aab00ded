"""Redaction of one text by patterns."""

from collections.abc import Iterator

import re2

from promptuary.traffic.redaction.credentials import find_credentials
from promptuary.traffic.redaction.numbers import find_numbers
from promptuary.traffic.redaction.passage import Passage, PassageType, replace_passages

_AT = r"(?:@|%40|\\u0040|&#64;|\x{ff20})"
_EMAIL = re2.compile(r"[\pL\pN_.!#$%&'*+/=?^`{|}~-]+" + _AT + r"(?:[\pL\pN][\pL\pN_-]*[.\x{ff0e}])+\pL[\pL\pN_-]+")


def redact_text(text: str) -> tuple[str, int]:
    """Return a text without e-mail addresses, card numbers, IBANs, phone numbers and credentials, and how many it had."""
    return replace_passages(text, _find_passages(text))


def _find_passages(text: str) -> Iterator[Passage]:
    for match in _EMAIL.finditer(text):
        yield Passage(match.start(), match.end(), PassageType.EMAIL)
    yield from find_numbers(text)
    yield from find_credentials(text)
