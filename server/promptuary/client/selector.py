"""Which version an application asks for."""

from typing import NamedTuple

from promptuary.prompt.errors import Invalid
from promptuary.prompt.name import is_name

DEFAULT_LABEL = "production"


class Selector(NamedTuple):
    """Which version is asked for: by label or by number; `targeting_key` keeps a split label sticky."""

    name: str
    label: str | None
    version: int | None
    targeting_key: str | None

    def untargeted(self) -> "Selector":
        """Give the selector without the targeting key."""
        return self._replace(targeting_key=None)

    def __str__(self) -> str:
        """Give it for a log; the targeting key, which may name a person, is left out."""
        which = f"label '{self.label}'" if self.version is None else f"version {self.version}"
        return f"prompt '{self.name}' ({which})"


def select(name: str, label: str | None, version: int | None, targeting_key: str | None = None) -> Selector:
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
    if targeting_key is not None and not (isinstance(targeting_key, str) and _is_unicode(targeting_key)):
        raise Invalid("a targeting key is a Unicode text, such as a user's id")
    return Selector(name, label, None, targeting_key)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which has no bytes and so no bucket
        return False
    return True
