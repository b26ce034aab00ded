"""The request of a lookup: which version an application needs."""

from typing import NamedTuple

from promptuary.prompt.errors import Invalid
from promptuary.prompt.name import is_name

DEFAULT_LABEL = "production"
KEY_LIMIT = 1000
"""Characters of a targeting key that the server accepts."""


class Selector(NamedTuple):
    """The requested version, by label or by number. The same `targeting_key` stays in the same arm of a split label."""

    name: str
    label: str | None
    version: int | None
    targeting_key: str | None

    @property
    def slot_key(self) -> tuple[str, str | None, int | None]:
        """The name and the label or number: what memory stores entries by."""
        return self[:3]

    def without_targeting_key(self) -> "Selector":
        """Return the selector without the targeting key."""
        return self._replace(targeting_key=None)

    def __str__(self) -> str:
        """Return a text for a log, without the targeting key, which may name a person."""
        target = f"label '{self.label}'" if self.version is None else f"version {self.version}"
        return f"prompt '{self.name}' ({target})"


def build_selector(name: str, label: str | None, version: int | None, targeting_key: str | None = None) -> Selector:
    """Build a selector from a caller's arguments; the default label is `production`, and an empty targeting key is none.

    Raises:
        Invalid: for a name, a label, a version or a targeting key that is not valid.
    """
    if not isinstance(name, str) or not is_name(name):
        raise Invalid(f"{name!a} is not a prompt name: use 1 to 128 of a-z 0-9 _ . -")
    if version is not None:
        if label is not None:
            raise Invalid("pass a label or a version, not both")
        if type(version) is not int or version < 1:
            raise Invalid(f"{version!a} is not a version: the first is 1")
        return Selector(name, None, version, None)
    label = DEFAULT_LABEL if label is None else label
    if not isinstance(label, str) or not is_name(label):
        raise Invalid(f"{label!a} is not a label: use 1 to 128 of a-z 0-9 _ . -")
    if targeting_key is not None and not _is_key(targeting_key):
        raise Invalid(f"a targeting key is a Unicode text of at most {KEY_LIMIT} characters, such as a user's id")
    return Selector(name, label, None, targeting_key or None)  # the server refuses an empty one; it is that of no user


def _is_key(key: object) -> bool:
    if not isinstance(key, str) or len(key) > KEY_LIMIT:
        return False
    try:
        key.encode()
    except UnicodeEncodeError:  # a lone surrogate, which has no bytes and so no bucket
        return False
    return True
