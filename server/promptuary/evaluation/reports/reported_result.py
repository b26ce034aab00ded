"""A result as the reports show it, parsed once from the API's JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptuary.evaluation.reports.reported_turn import ReportedTurn, conversation_text
from promptuary.prompt.text import replace_surrogates


@dataclass(frozen=True)
class FailureReason:
    """What a scorer that did not pass an output reports of it: its error, where it could not score, or its reason."""

    scorer: str
    text: str
    is_error: bool = False

    def __str__(self) -> str:
        """Return the reason in one line, after the scorer's name."""
        return f"{self.scorer}: {self.text}"


@dataclass(frozen=True)
class ReportedResult:
    """The result of one case under one variant in one repeat. Messages and passages are left out: no report shows them.

    Attributes:
        case: the case's id.
        variant: the variant's name.
        repeat: from 0.
        passed: None where there is no verdict.
        score: None where there is none.
        metrics: each metric's score; None where there is none.
        output: None where the model returned none.
        error: why there is no output or no verdict.
        vars: the case's variables.
        expected: the case's expected output, a JSON value.
        cluster: None where the cases are independent.
        latency_ms: None where it was not measured.
        failures: the scorers that did not pass the output, with their reasons.
        refusal: the model's or its provider's refusal; None where it does not refuse.
        reasoning: what the model thought before its output; None where it does not show it.
        invalid_tool_calls: calls of tools whose arguments are no JSON object, as JSON.
        turns: of a conversation, those that were answered.
        weight: how many cases its case stands for.
    """

    case: str
    variant: str
    repeat: int
    passed: bool | None
    score: float | None
    metrics: Mapping[str, float | None]
    output: str | None
    error: str | None
    vars: Mapping[str, object] | None = None
    expected: object = None
    cluster: str | None = None
    latency_ms: float | None = None
    failures: tuple[FailureReason, ...] = ()
    refusal: str | None = None
    reasoning: str | None = None
    invalid_tool_calls: Sequence[Mapping[str, object]] = ()
    turns: tuple[ReportedTurn, ...] = ()
    weight: float = 1.0

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Build it from an item of `GET /runs/{id}/results`; a lone surrogate in the variant's name becomes U+FFFD."""
        detail = body.get("detail") or {}
        scores = (detail.get("scores") or {}).items()
        return cls(
            case=body["case"],
            variant=replace_surrogates(body["variant"]),
            repeat=body["repeat"],
            passed=body["pass"],
            score=body["score"],
            metrics=body["metrics"],
            output=body["output"],
            error=body["error"],
            vars=body.get("vars"),
            expected=body.get("expected"),
            cluster=body.get("cluster"),
            latency_ms=body.get("latency_ms"),
            failures=tuple(
                FailureReason(name, text, is_error=bool(score.get("error")))
                for name, score in scores
                if not score.get("passed") and (text := score.get("error") or score.get("reason"))
            ),
            refusal=detail.get("refusal"),
            reasoning=detail.get("reasoning"),
            invalid_tool_calls=tuple(detail.get("invalid_tool_calls") or ()),
            turns=tuple(map(ReportedTurn.from_json, detail.get("turns") or ())),
            weight=body.get("weight", 1.0),
        )

    def value(self, metric: str) -> float | None:
        """Return the value of a metric, of `pass` or of `score`; None where there is none."""
        own = {"pass": self.passed, "score": self.score}
        value = self.metrics[metric] if metric in self.metrics else own.get(metric)
        return None if value is None else float(value)

    @property
    def shown_output(self) -> str:
        """The output, or the reason why there is none, in parentheses; a conversation turn by turn."""
        answer = self.output if self.output is not None else f"(no answer: {self.error})"
        if not self.turns:
            return answer
        return conversation_text(self.turns) + ("" if self.output is not None else f"\n\n{answer}")

    @property
    def verdict_error(self) -> str:
        """Why there is no verdict: the result's error, else the first scorer's."""
        errors = (str(failure) for failure in self.failures if failure.is_error)
        return self.error or next(errors, "a scorer could not answer")

    @property
    def failure_text(self) -> str:
        """The reasons of the scorers that did not pass the output, one a line."""
        return "\n".join(str(failure) for failure in self.failures)


ResultReader = Callable[[], Iterable[ReportedResult]]
"""Returns a run's results from the first one on, in the file's order, each time it is called."""
