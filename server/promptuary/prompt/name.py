"""The form of names: prompts, labels, collections, datasets, suites and queues all have it."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

NAME_PATTERN = r"^[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?$"
LATEST = "latest"
"""The label that nobody sets: it always points to the newest version."""
DEFAULT_LABEL = "production"
"""The label of a lookup or an inclusion that names none."""
_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether the text is 1 to 128 of `a-z 0-9 _ . -`, with a letter or digit at both ends."""
    return _NAME.match(text) is not None


def _checked(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be 1 to 128 of a-z 0-9 _ . - and begin and end with a letter or digit")
    return text


Name = Annotated[str, StringConstraints(max_length=128), AfterValidator(_checked)]
