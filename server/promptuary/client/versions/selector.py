"""Which version an application asks for."""

from typing import NamedTuple

from promptuary.prompt.errors import Invalid
from promptuary.prompt.name import is_name

DEFAULT_LABEL = "production"
KEY_LIMIT = 1000
"""Characters of a targeting key that the server takes."""


class Selector(NamedTuple):
    """Which version is asked for: by label or by number; `targeting_key` keeps a split label sticky."""

    name: str
    label: str | None
    version: int | None
    targeting_key: str | None

    def without_targeting_key(self) -> "Selector":
        """Give the selector without the targeting key."""
        return self._replace(targeting_key=None)

    def __str__(self) -> str:
        """Give it for a log; the targeting key, which may name a person, is left out."""
        which = f"label '{self.label}'" if self.version is None else f"version {self.version}"
        return f"prompt '{self.name}' ({which})"


def build_selector(name: str, label: str | None, version: int | None, targeting_key: str | None = None) -> Selector:
    """Check what a caller asks for, and fill the default label in.

    Raises:
        Invalid: for what cannot be a name, a label or a version.
    """
    if not isinstance(name, str) or not is_name(name):
        raise Invalid(f"{name!a} is no prompt name: use 1 to 128 of a-z 0-9 _ . -")
    if version is not None:
        if label is not None:
            raise Invalid("give a label or a version, not both")
        if type(version) is not int or version < 1:
            raise Invalid(f"{version!a} is no version: the first is 1")
        return Selector(name, None, version, None)
    label = DEFAULT_LABEL if label is None else label
    if not isinstance(label, str) or not is_name(label):
        raise Invalid(f"{label!a} is no label: use 1 to 128 of a-z 0-9 _ . -")
    if targeting_key is not None and not _is_key(targeting_key):
        raise Invalid(f"a targeting key is a Unicode text of at most {KEY_LIMIT} characters, such as a user's id")
    return Selector(name, label, None, targeting_key)


def _is_key(key: object) -> bool:
    if not isinstance(key, str) or len(key) > KEY_LIMIT:
        return False
    try:
        key.encode()
    except UnicodeEncodeError:  # a lone surrogate, which has no bytes and so no bucket
        return False
    return True
