"""The JSON of a score, as it is stored with a result, sent by the API and shown in reports."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict


class ScoreDetail(TypedDict):
    """A score.

    Attributes:
        passed: None where the scorer could not score.
        score: None where the scorer could not score, or the score is not finite.
        reason: of the verdict; empty for an error.
        error: why the scorer could not score; None where it could.
        name: of the scorer, for a score inside a set.
        parts: of a set, the scores inside it.
    """

    passed: bool | None
    score: float | None
    reason: str
    error: str | None
    name: NotRequired[str]
    parts: NotRequired[list["ScoreDetail"]]


LabelledScores = Mapping[str, ScoreDetail]
"""The scores of an output, each under a label of its own."""
