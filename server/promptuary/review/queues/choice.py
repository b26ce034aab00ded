"""The decisions that a queue offers to its reviewers, each with the keyboard shortcut that selects it."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.core.errors import FieldError, InvalidRequest

CHOICE_LIMIT = 12
SAVED = "saved"
"""The decision that is stored where a queue has no choices, and its fields alone are decided."""
RESERVED_SHORTCUTS = {"S": "it skips an item"}
"""The review card's other keys are not reserved: where a decision has one of them, that action has a button and no key."""


@dataclass(frozen=True)
class Choice:
    """One possible decision: the stored value, the label of its button and its keyboard shortcut."""

    value: str
    label: str
    shortcut: str | None = None


DEFAULT_CHOICES = (
    Choice("approve", "Approve", "A"),
    Choice("reject", "Reject", "X"),
    Choice("unsure", "Unsure", "U"),
)


def validate_choices(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return the choices if a reviewer can distinguish them.

    Raises:
        InvalidRequest: with every value or shortcut that occurs twice, and every reserved shortcut.
    """
    field_errors = [FieldError("decisions", "must be none, or at least two")] if len(choices) == 1 else []
    values: set[str] = set()
    keys: set[str] = set()
    for number, choice in enumerate(choices):
        if choice.value in values:
            field_errors.append(FieldError(f"decisions.{number}.value", "occurs twice"))
        if choice.shortcut in RESERVED_SHORTCUTS:
            field_errors.append(
                FieldError(f"decisions.{number}.shortcut", f"is reserved: {RESERVED_SHORTCUTS[choice.shortcut]}")
            )
        if choice.shortcut in keys:
            field_errors.append(FieldError(f"decisions.{number}.shortcut", "occurs twice"))
        values.add(choice.value)
        keys |= {choice.shortcut} if choice.shortcut else set()
    if field_errors:
        raise InvalidRequest("the queue's decisions cannot be distinguished", field_errors)
    return tuple(choices)
