"""Names as other registries write them, as names of ours."""

from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.prompt.name import is_name

_FORM = "a name is 1 to 128 of a-z 0-9 _ . - and begins and ends with a letter or digit"


def dotted(name: str) -> str:
    """Write the folders of a name our way: `support/triage` is `support.triage`. An empty folder stays, and is refused."""
    return name.replace("/", ".") if all(name.split("/")) else name


def known_name(name: str) -> str:
    """Take a name that is looked up.

    Raises:
        NotFound: when no prompt can have it.
    """
    if not is_name(name):
        raise NotFound(f"there is no such prompt: {_FORM}")
    return name


def new_name(name: str) -> str:
    """Take a name that is to be registered.

    Raises:
        InvalidRequest: when it is none of ours.
    """
    if not is_name(name):
        raise InvalidRequest("the prompt cannot be registered", [FieldError("name", _FORM)])
    return name
