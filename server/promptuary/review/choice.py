"""What a reviewer may answer: the choices of a queue, each with the key that picks it."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.base.errors import Fault, InvalidRequest

CHOICE_LIMIT = 12
TAKEN_KEYS = {"C": "the page keeps it for itself", "R": "the page keeps it for itself", "S": "it skips an item"}


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


def checked(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Refuse choices that a reviewer could not tell apart.

    Raises:
        InvalidRequest: with every value or key that comes twice, and every key that is taken.
    """
    faults = []
    values: set[str] = set()
    keys: set[str] = set()
    for number, choice in enumerate(choices):
        if choice.value in values:
            faults.append(Fault(f"decisions.{number}.value", "is there twice"))
        if choice.shortcut in TAKEN_KEYS:
            faults.append(Fault(f"decisions.{number}.shortcut", f"is taken: {TAKEN_KEYS[choice.shortcut]}"))
        if choice.shortcut in keys:
            faults.append(Fault(f"decisions.{number}.shortcut", "is there twice"))
        values.add(choice.value)
        keys |= {choice.shortcut} if choice.shortcut else set()
    if faults:
        raise InvalidRequest("the queue's decisions cannot be told apart", faults)
    return tuple(choices)
