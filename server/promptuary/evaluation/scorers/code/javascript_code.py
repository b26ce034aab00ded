"""The scorer that runs the suite's own JavaScript, by promptfoo's rules for what the code returns."""

import math
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.javascript.script import JavaScriptThrew, ScriptValue, ValueType
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.code.code_context import CodeConfig, javascript_context
from promptuary.evaluation.scorers.code.javascript_value import CaseJavaScriptValue, JavaScriptValue
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import REASON_LIMIT, BaseScorer, Score, ScorerInput, WeightedScore, metric_name
from promptuary.evaluation.scorers.scorer_type import ScorerSettings, ScorerType, ThresholdRange
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.value import is_number
from promptuary.prompt.text import replace_refused

TURNED_OFF = "JavaScript is not run here; an operator has set PROMPTUARY_JAVASCRIPT=false"
NAMED_LIMIT = 50
_ANY_THRESHOLD = 1e9


@dataclass(frozen=True)
class JavaScriptScorer(BaseScorer):
    """Passes if the suite's own code decides so: by true or false, by a number, or by an object with pass, score and reason.

    The threshold applies to a number alone. Numbers are kept as they are, so that a score may be any number. Code in the suite
    that throws, or returns something else, fails with a score of 0, with `not-` too. A limit, and an error in a file, is an
    error of the scorer.
    """

    threshold: float | None
    config: CodeConfig
    value: JavaScriptValue
    engine: JavaScriptEngine

    async def score(self, sample: ScorerInput) -> Score:
        """Run the code on the output, and read what it returned."""
        script = self.value.script(sample.case)
        try:
            returned = await self.engine.call(script, [sample.value, javascript_context(sample, self.config)])
        except JavaScriptThrew as error:
            if script.source is not None:
                raise
            return self._failed(error.message)
        return self.read(returned)

    def read(self, returned: ScriptValue) -> Score:
        """Return the score of what the code returned."""
        value = returned.value
        match returned.type:
            case ValueType.BOOLEAN:
                return self.pass_or_fail(value, f"the JavaScript returned {str(value).lower()}")
            case ValueType.NUMBER:
                reached = value > 0 if self.threshold is None else value >= self.threshold
                return self._score(reached, value, f"the JavaScript returned {value:g}")
            case ValueType.VERDICT if isinstance(value, dict):
                return self._of_verdict(value)
        article = "an" if returned.type.value[0] in "aou" else "a"
        kind = returned.type.value if returned.is_missing else f"{article} {returned.type}"
        return self._failed(f"the JavaScript returned {kind}: it must be true, false, a number, or {{pass, score, reason}}")

    def _of_verdict(self, verdict: JsonObject) -> Score:
        passed, score, reason = verdict.get("pass"), verdict.get("score"), verdict.get("reason")
        if not isinstance(passed, bool) or not isinstance(score, int | float) or not isinstance(reason, str):
            return self._failed("the JavaScript changed its own result on the way")
        parts = (*_named_scores(verdict), *_components(verdict))
        return self._score(passed, score, _one_line(reason), parts)

    def _score(self, passed: bool, score: float, reason: str, parts: tuple[WeightedScore, ...] = ()) -> Score:
        reason = reason[:REASON_LIMIT]
        return Score(self.name, passed != self.inverse, float(score), reason, parts=parts, unbounded=True)

    def _failed(self, reason: str) -> Score:
        return Score(self.name, passed=False, score=0.0, reason=_one_line(reason))


def _named_scores(verdict: JsonObject) -> tuple[WeightedScore, ...]:
    """Return the scores that add to metrics of their own; a list's have their positions as names, as in JavaScript."""
    named, weights = _entries(verdict.get("namedScores")), _entries(verdict.get("namedScoreWeights"))
    return tuple(
        WeightedScore(Score(name, value > 0, float(value), "", unbounded=True), _weight(weights.get(key)), metric=name)
        for key, value in list(named.items())[:NAMED_LIMIT]
        if is_number(value) and (name := metric_name(key))
    )


def _components(verdict: JsonObject) -> tuple[WeightedScore, ...]:
    """Return the component results, which are shown and count for nothing."""
    components = verdict.get("componentResults")
    results = [each for each in components if isinstance(each, dict)] if isinstance(components, list) else []
    return tuple(
        WeightedScore(
            Score(
                f"component {number}",
                bool(each.get("pass")),
                _number(each.get("score")),
                _one_line(each.get("reason")),
                unbounded=True,
            ),
            weight=0.0,
        )
        for number, each in enumerate(results[:NAMED_LIMIT], 1)
    )


def _entries(value: Any) -> JsonObject:
    if isinstance(value, list):
        return {str(number): item for number, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _weight(value: Any) -> float:
    return float(value) if is_number(value) and math.isfinite(value) and value >= 0 else 1.0


def _number(value: Any) -> float:
    return float(value) if is_number(value) else math.nan


def _one_line(text: Any) -> str:
    return " ".join(replace_refused(text).split())[:REASON_LIMIT] if isinstance(text, str) else ""


def _build(settings: ScorerSettings[JavaScriptValue, CodeConfig], dependencies: ScorerDependencies) -> JavaScriptScorer:
    if dependencies.javascript is None:
        raise Invalid(TURNED_OFF)
    return JavaScriptScorer(*settings.base, settings.threshold, settings.config, settings.value, dependencies.javascript)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "javascript": ScorerType(
        JavaScriptValue,
        _build,
        threshold=ThresholdRange(-_ANY_THRESHOLD, _ANY_THRESHOLD),
        config=CodeConfig,
        case_value=CaseJavaScriptValue,
    ),
}
