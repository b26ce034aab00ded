"""A value that a scorer cannot use, kept in a case so that its score is an error there, as in the program that it is from."""

from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.prompt.errors import Invalid

_KEY = "$invalid"


@dataclass(frozen=True)
class InvalidValueScorer:
    """A scorer whose value cannot be used: its score is an error, which `not-` does not invert.

    Attributes:
        name: of the metric.
        weight: the share in the case's score.
        message: what is wrong with the value.
    """

    name: str
    weight: float
    message: str

    async def score(self, sample: ScorerInput) -> Score:
        """Raise the error.

        Raises:
            Invalid: always.
        """
        raise Invalid(self.message)


def invalid_value(message: str) -> JsonObject:
    """Return the value of a case's scorer that only has this error."""
    return {_KEY: message}


def invalid_message(value: Any) -> str | None:
    """Return the error of a value of `invalid_value`; None for every other value."""
    message = value.get(_KEY) if isinstance(value, dict) and value.keys() == {_KEY} else None
    return message if isinstance(message, str) else None
