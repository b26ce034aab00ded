"""What a reviewer may answer: the choices of a queue, each with the key that picks it."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.core.errors import FieldError, InvalidRequest

CHOICE_LIMIT = 12
RESERVED_SHORTCUTS = {"C": "the page keeps it for itself", "R": "the page keeps it for itself", "S": "it skips an item"}


@dataclass(frozen=True)
class Choice:
    """One possible decision: what is stored, what the button says, and the key that presses it."""

    value: str
    label: str
    shortcut: str | None = None


DEFAULT_CHOICES = (
    Choice("approve", "Approve", "A"),
    Choice("reject", "Reject", "X"),
    Choice("unsure", "Unsure", "U"),
)


def validate_choices(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Refuse choices that a reviewer could not tell apart.

    Raises:
        InvalidRequest: with every value or key that comes twice, and every key that is taken.
    """
    field_errors = []
    values: set[str] = set()
    keys: set[str] = set()
    for number, choice in enumerate(choices):
        if choice.value in values:
            field_errors.append(FieldError(f"decisions.{number}.value", "is there twice"))
        if choice.shortcut in RESERVED_SHORTCUTS:
            field_errors.append(FieldError(f"decisions.{number}.shortcut", f"is taken: {RESERVED_SHORTCUTS[choice.shortcut]}"))
        if choice.shortcut in keys:
            field_errors.append(FieldError(f"decisions.{number}.shortcut", "is there twice"))
        values.add(choice.value)
        keys |= {choice.shortcut} if choice.shortcut else set()
    if field_errors:
        raise InvalidRequest("the queue's decisions cannot be told apart", field_errors)
    return tuple(choices)
