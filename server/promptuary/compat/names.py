"""The translation of other registries' prompt names, and their validation.

A program keeps using the names that it knows. They are folded by the rule of every import (`fold_name`), and answered as they
were asked.
"""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound, PromptuaryError
from promptuary.prompt.name import fold_name, is_name
from promptuary.prompt.text import show_hidden
from promptuary.registry.given_names import find_given_name, require_given_name
from promptuary.registry.labels import require_prompt

GIVEN_NAME_LIMIT = 255
_FORM = (
    "a name has 1 to 255 characters without control characters, one of them a letter a-z or a digit, and no empty folder; in "
    "the form a-z 0-9 _ . - it has at most 128"
)


def known_name(unit: UnitOfWork, given_name: str) -> str:
    """Return the name under which a prompt that is requested lives here.

    A prompt that has exactly this given name is found by it, whatever its form: imports bring names that no route takes.

    Raises:
        NotFound: when no prompt can have it.
    """
    return find_given_name(unit, given_name) or _folded_name(given_name, NotFound(f"there is no such prompt: {_FORM}"))


def changeable_name(unit: UnitOfWork, given_name: str) -> str:
    """Return the name of a prompt that is to be changed: it was created under the given name, or lives under it.

    Raises:
        NotFound: for an unknown prompt.
        Conflict: when the prompt was created under another name that folds onto the same.
    """
    name = known_name(unit, given_name)
    if given_name != name:
        require_given_name(require_prompt(unit, name), given_name)
    return name


def new_name(unit: UnitOfWork, given_name: str) -> str:
    """Return the name under which a prompt to register lives here.

    Raises:
        InvalidRequest: when it is not a valid name.
    """
    error = InvalidRequest("the prompt cannot be registered", [FieldError("name", _FORM)])
    return find_given_name(unit, given_name) or _folded_name(given_name, error)


def _folded_name(given_name: str, error: PromptuaryError) -> str:
    name = fold_name(given_name)
    if not _is_given_name(given_name) or not is_name(name):
        raise error
    return name


def _is_given_name(text: str) -> bool:
    return len(text) <= GIVEN_NAME_LIMIT and all(text.split("/")) and show_hidden(text, newlines=False) == text
