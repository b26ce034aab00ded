"""The translation of other registries' prompt names, and their validation."""

from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.prompt.name import is_name

_FORM = "a name is 1 to 128 of a-z 0-9 _ . - and begins and ends with a letter or digit"


def dotted(name: str) -> str:
    """Return a name with dots between folders (`support.triage`); a name with an empty folder is unchanged, and invalid."""
    return name.replace("/", ".") if all(name.split("/")) else name


def known_name(name: str) -> str:
    """Return a name to look up.

    Raises:
        NotFound: when no prompt can have it.
    """
    if not is_name(name):
        raise NotFound(f"there is no such prompt: {_FORM}")
    return name


def new_name(name: str) -> str:
    """Return a name to register.

    Raises:
        InvalidRequest: when it is not a valid name.
    """
    if not is_name(name):
        raise InvalidRequest("the prompt cannot be registered", [FieldError("name", _FORM)])
    return name
