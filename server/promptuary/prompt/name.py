"""The form of names: prompts, labels, collections, datasets, suites and queues all have it."""

import hashlib
import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

NAME_PATTERN = r"^[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?$"
LATEST = "latest"
"""The label that nobody sets: it always points to the newest version."""
DEFAULT_LABEL = "production"
"""The label of a lookup or an inclusion that names none."""
_EDGES = "-._"
_OTHER_CHARACTERS = re.compile(r"[^a-z0-9_.-]+")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_LENGTH = 128
_DIGEST_DIGITS = 10
_LATIN = str.maketrans(
    {"ß": "ss", "ẞ": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "\u0131": "i"}
)
_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether the text is 1 to 128 of `a-z 0-9 _ . -`, with a letter or digit at both ends."""
    return _NAME.match(text) is not None


def fold_name(foreign: str) -> str:
    """Return another registry's name in our form: lower-case, `.` for `/`, and `-` for each run of other characters.

    Every import and every compatible route folds names by this rule, so that a program finds its prompts under the names
    that it knows. A name in our form stays as it is. Of a name with letters, digits or symbols beyond ASCII, the letters of a
    to z remain, also those under accents, and a digest of the name follows: `Größe` and `Grosse` stay two names, as do two
    names in Cyrillic or Chinese. Two names in ASCII can become the same; a caller that folds several checks for it.

    Returns:
        the folded name, which is still not valid (`is_name`) where no character of an ASCII name remains, or more than 128: a
        name that was cut would be that of another prompt.
    """
    if not _loses_letters(foreign):
        return _OTHER_CHARACTERS.sub("-", foreign.replace("/", ".").lower()).strip(_EDGES)
    return _with_digest(_OTHER_CHARACTERS.sub("-", _latin(foreign.replace("/", "."))), foreign, _LENGTH)


def fold_words(text: str, limit: int = _LENGTH) -> str:
    """Return a text for people as a name: its words of a to z and 0 to 9 in lower case, joined by `-`.

    A digest of the text follows where letters, digits or symbols beyond ASCII would be lost, or the name would be too long, so
    that two texts in another script, and two long ones with the same beginning, have two names.

    Args:
        text: any text.
        limit: the most characters of the name.

    Returns:
        the name; empty where the text is ASCII without any letter and digit.
    """
    name = _NO_WORD.sub("-", _latin(text)).strip(_EDGES)
    return _with_digest(name, text, limit) if len(name) > limit or _loses_letters(text) else name


def _latin(text: str) -> str:
    """Return a text in lower case with the letters of a to z in place of those that have accents."""
    return "".join(
        character
        for character in unicodedata.normalize("NFKD", text.lower().translate(_LATIN))
        if not unicodedata.combining(character)
    )


def _loses_letters(text: str) -> bool:
    """Return whether a text has a letter, a mark, a digit or a symbol beyond ASCII; punctuation and spaces do not count."""
    return any(unicodedata.category(character)[0] in "LMNS" for character in text if not character.isascii())


def _with_digest(name: str, text: str, limit: int) -> str:
    """Return a name that is cut to the limit with a digest of the text behind it, which is the same for NFC and NFD."""
    source = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(source).hexdigest()[:_DIGEST_DIGITS]
    start = name.strip(_EDGES)[: limit - _DIGEST_DIGITS - 1].strip(_EDGES)
    return f"{start}-{digest}" if start else digest


def fold_label(foreign: str) -> str:
    """Return another registry's label in our form, which is lower-case.

    Every import and every compatible route folds labels by this rule: a program finds `staging` as its `Staging`.
    """
    return foreign.lower()


def _checked(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be 1 to 128 of a-z 0-9 _ . - and begin and end with a letter or digit")
    return text


Name = Annotated[str, StringConstraints(max_length=128), AfterValidator(_checked)]
