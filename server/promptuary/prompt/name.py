"""The form of names: prompts, labels, collections, datasets, suites and queues all have it."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

NAME_PATTERN = r"^[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?$"
LATEST = "latest"
"""The label that nobody sets: it always points to the newest version."""
DEFAULT_LABEL = "production"
"""The label of a lookup or an inclusion that names none."""
_EDGES = "-._"
_OTHER_CHARACTERS = re.compile(r"[^a-z0-9_.-]+")
_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether the text is 1 to 128 of `a-z 0-9 _ . -`, with a letter or digit at both ends."""
    return _NAME.match(text) is not None


def fold_name(foreign: str) -> str:
    """Return another registry's name in our form: lower-case, `.` for `/`, and `-` for each run of other characters.

    Every import and every compatible route folds names by this rule, so that a program finds its prompts under the names
    that it knows. A name in our form stays as it is. Two names can become the same; a caller that folds several checks for it.

    Returns:
        the folded name, which is still not valid (`is_name`) where no character of it remains, or more than 128: a name that
        was cut would be that of another prompt.
    """
    return _OTHER_CHARACTERS.sub("-", foreign.replace("/", ".").lower()).strip(_EDGES)


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
