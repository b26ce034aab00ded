"""A turn of a conversation as the reports show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptuary.evaluation.conversations.message import Message
from promptuary.evaluation.conversations.transcript import transcript
from promptuary.evaluation.reports.formatting import format_number
from promptuary.evaluation.score_detail import LabelledScores


@dataclass(frozen=True)
class ReportedTurn:
    """A turn with its messages and its verdict.

    Attributes:
        messages: that the turn added to the conversation, in OpenAI's form.
        output: its answer.
        passed: None where there is no verdict on the turn.
        score: None where there is none.
        scores: each as JSON by its label.
        latency_ms: None where it was not measured.
        tokens_input: None where they are not known.
        tokens_output: None where they are not known.
        cost: None where it is not known.
    """

    messages: Sequence[Message]
    output: str
    passed: bool | None = None
    score: float | None = None
    scores: LabelledScores | None = None
    latency_ms: float | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    cost: float | None = None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Build it from the JSON of a result's detail."""
        return cls(**{name: body.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]  # JSON of our own

    def json_body(self) -> dict[str, object]:
        """Return the JSON of the report, with the names that a result has there."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"pass" if name == "passed" else name: value for name, value in body.items() if value is not None}

    @property
    def reasons(self) -> list[str]:
        """Why the turn did not pass: the errors and reasons of its scorers, each after the scorer's name."""
        scores = (self.scores or {}).items()
        return [f"{name}: {score.get('error') or score.get('reason')}" for name, score in scores if not score.get("passed")]

    @property
    def heading(self) -> str:
        """The verdict and the score, and why the turn did not pass."""
        if self.passed is None and not self.reasons:
            return "not scored"
        verdict = "no verdict" if self.passed is None else "pass" if self.passed else "fail"
        score = "" if self.score is None else f", score {format_number(self.score)}"
        return "; ".join([f"{verdict}{score}", *self.reasons])


def conversation_text(turns: Sequence[ReportedTurn]) -> str:
    """Return a conversation turn by turn as one text: a heading with the verdict, then the messages."""
    return "\n\n".join(f"Turn {number}: {turn.heading}\n\n{transcript(turn.messages)}" for number, turn in enumerate(turns, 1))
