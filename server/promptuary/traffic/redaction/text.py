"""Redaction of one text by patterns."""

from collections.abc import Iterator
from functools import lru_cache

import re2

from promptuary.traffic.redaction import credentials, numbers
from promptuary.traffic.redaction.binary_data import replace_binary_data
from promptuary.traffic.redaction.credentials import find_credentials
from promptuary.traffic.redaction.numbers import find_numbers
from promptuary.traffic.redaction.passage import PassageType, PersonalPassage, replace_passages
from promptuary.traffic.redaction.readable_text import ReadableText, read_text

_AT = r"(?:@|%40|\\u0040|&#64;|\x{ff20})"
_DOT = r"(?:[.\x{ff0e}]| ?[\[({<](?i:dot)[\])}>] ?)"
_WORD = r"[\pL\pN_]"
_SIGNS = r".!#$%&*+/=?^`{|}~\-"
_PART = _WORD + r"(?:[\pL\pN_" + _SIGNS + "]*" + _WORD + ")?"
_ESCAPE = r"\\+(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[bfnrt])|(?:%(?:25)*[0-9A-Fa-f]{2})+"
_EMAIL = re2.compile(
    "(?:" + _ESCAPE + ")?"  # of a quote or an end of line before the address; what it stands for, the readable text has
    "((?:"
    + _PART
    + "(?:'"
    + _PART
    + ")*["
    + _SIGNS
    + "]*|["
    + _SIGNS
    + "']+)(?:"
    + _AT
    + r"| @ | ?[\[({<](?i:at)[\])}>] ?)(?:[\pL\pN][\pL\pN_-]*"
    + _DOT
    + r")+\pL[\pL\pN_-]+)"
)
"""An address begins with a letter or a digit where it has one, so that quotes and other signs before it stay."""
_HINT = re2.compile("|".join((_AT, r"(?i)[\[({<]at[\])}>]", numbers.HINT, credentials.HINT)))
"""Matches where any of the patterns could: most texts have none of them, and are read once instead of seven times."""

_SHORT = 40
"""Characters of a text that is worth remembering."""


def redact_text(text: str) -> tuple[str, int]:
    """Return a text without e-mail addresses, card numbers, IBANs, phone numbers and credentials, and how many it had."""
    return _redact(text) if len(text) > _SHORT else _redact_short(text)


def _redact(text: str) -> tuple[str, int]:
    text, removed = replace_binary_data(text)
    readable = read_text(text)
    passages = [] if readable is None else [_in_original(passage, readable) for passage in _find_passages(readable.text)]
    cleaned, count = replace_passages(text, [*passages, *_find_passages(text)])
    return cleaned, removed + count


def _in_original(passage: PersonalPassage, readable: ReadableText) -> PersonalPassage:
    return PersonalPassage(*readable.span_of(passage.start, passage.end), passage.type)


@lru_cache(maxsize=4096)
def _redact_short(text: str) -> tuple[str, int]:
    """Redact a short text, such as the name of a model, which most calls have in common."""
    return _redact(text)


def _find_passages(text: str) -> Iterator[PersonalPassage]:
    if not _HINT.search(text):
        return
    for match in _EMAIL.finditer(text):
        yield PersonalPassage(match.start(1), match.end(1), PassageType.EMAIL)
    yield from find_numbers(text)
    yield from find_credentials(text)
