"""A turn of a conversation: what the user sends, and what the answer to it must meet."""

from dataclasses import dataclass, field
from typing import Any

from promptuary.evaluation.json_object import JsonObject

DEFAULT_STEPS = 10
"""The most model calls in one turn, where the case states no other number."""


@dataclass(frozen=True)
class Turn:
    """A turn of a conversation.

    Attributes:
        user: the text of the user's message; None where the prompt is rendered with the turn's variables instead.
        vars: variables of this turn, beside the case's.
        expected: the reference for the turn's scorers; None where there is none.
        asserts: scorers of this turn's answer alone, as JSON.
        threshold: the score from which on the turn passes, whatever single scorers decide.
    """

    user: str | None = None
    vars: JsonObject = field(default_factory=dict)
    expected: Any | None = None
    asserts: tuple[JsonObject, ...] = ()
    threshold: float | None = None


def turn_to_json(turn: Turn) -> dict[str, Any]:
    """Return the JSON of a turn as a case's has it: the fields that are set."""
    body = {
        "user": turn.user,
        "vars": turn.vars or None,
        "expected": turn.expected,
        "assert": list(turn.asserts) or None,
        "threshold": turn.threshold,
    }
    return {name: value for name, value in body.items() if value is not None}


def turn_from_json(body: JsonObject) -> Turn:
    """Build a turn from its stored JSON, which `turn_to_json` wrote and which is not checked again."""
    fields = {name: value for name, value in body.items() if name != "assert"}
    return Turn(**fields, asserts=tuple(body.get("assert", ())))
