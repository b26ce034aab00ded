"""Identities: how rows name who did something, the names that people see for them, and which names a person may have.

A row contains `person:<id>`, `service:<key id>`, or a word of its own: `local`, `worker`, `schedule:<name>`. The name is read
when the row is shown. Rows of releases before 0.5.0 contain `key:<name of the key>`, and are shown as they are.
"""

import re
import unicodedata

from promptuary.access.tables import KeyRow, PersonRow
from promptuary.core.database import Session
from promptuary.prompt.text import HIDDEN

LOCAL = "local"
"""The operator of the machine, who has the data directory itself."""
NAME_LIMIT = 200
_NAMES = "promptuary.names"
_IDENTITY = re.compile(r"(person|service):[A-Za-z0-9_]+")
_WORDS = frozenset({LOCAL, "worker"})
# Letters and marks that are not seen though Unicode counts them as text, beside the categories below.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_HIDDEN = re.compile(f"{HIDDEN}|[\t\n\u200c\u200d]")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def person_identity(person: str) -> str:
    """Return the identity of a person by their id."""
    return f"person:{person}"


def service_identity(key: str) -> str:
    """Return the identity of a service by the id of its key."""
    return f"service:{key}"


def key_display_name(name: str) -> str:
    """Return how a service key is shown; the prefix, which no person's name can have, distinguishes it from a person."""
    return f"key:{name}"


def is_identity(text: str) -> bool:
    """Return whether a text has the form of a person's or a service's identity."""
    return _IDENTITY.fullmatch(text) is not None


def shown_name(session: Session, stored: str) -> str:
    """Return the name that people see for a stored identity; what is none is shown as it is.

    Args:
        session: where the names are; each is read once in a session.
        stored: what is in the row.
    """
    names: dict[str, str] = session.info.setdefault(_NAMES, {})
    if stored not in names:
        names[stored] = _read_name(session, stored)
    return names[stored]


def _read_name(session: Session, stored: str) -> str:
    kind, _, number = stored.partition(":")
    if kind == "person" and (person := session.get(PersonRow, number)) is not None:
        return person.name
    if kind == "service" and (key := session.get(KeyRow, number)) is not None:
        return key_display_name(key.name)
    return stored


def display_name_error(name: str) -> str | None:
    """Return why a key may not have a name, as the rest of a sentence; None if it may.

    A name has only characters that are seen and that change nothing around them: no control, bidi or zero-width character,
    no private or unassigned one, and no space but the usual one.
    """
    if not name.strip() or len(name) > NAME_LIMIT:
        return f"must have 1 to {NAME_LIMIT} characters that are seen"
    if name != name.strip():
        return "must not begin or end with a space"
    for character in name:
        category = unicodedata.category(character)
        is_hidden = category in _REFUSED_CATEGORIES or _HIDDEN.match(character) or _BLANK.match(character)
        if is_hidden or (category == "Zs" and character != " "):
            return f"has the character U+{ord(character):04X}, which is not seen; leave it out"
    return None


def person_name_error(name: str) -> str | None:
    """Return why a person may not have a name, as the rest of a sentence; None if they may.

    Beside what applies to every name, it must not be mistaken for a service, a schedule or a part of this server.
    """
    error = display_name_error(name)
    if error is not None:
        return error
    folded = fold_name(name)
    if ":" in folded:
        return "must not have a colon, by which services and schedules are recognized"
    return f"is reserved; '{LOCAL}' and 'worker' name parts of this server" if folded in _WORDS else None


def fold_name(name: str) -> str:
    """Return the form in which no two people may have the same name: without case, and with compatibility forms resolved."""
    folded = name
    for _ in range(3):  # folding can make a character that folds again
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return " ".join(folded.split())
