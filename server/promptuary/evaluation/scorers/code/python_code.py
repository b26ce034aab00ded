"""The scorer that runs the suite's own Python in a child process; only where an operator allows it."""

import json
import weakref
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.code.code_context import CodeConfig, code_context
from promptuary.evaluation.scorers.code.code_process import CodeFailed, CodeProcess
from promptuary.evaluation.scorers.code.code_source import CodeSource
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import METRIC, REASON_LIMIT, BaseScorer, Score, ScorerInput, WeightedScore
from promptuary.evaluation.scorers.scorer_type import (
    ScorerSettings,
    ScorerType,
    ThresholdRange,
)
from promptuary.prompt.errors import Invalid

UnitScore = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _ReturnedObject(BaseModel):
    """What code returns as an object."""

    model_config = ConfigDict(strict=True, extra="ignore")

    passed: Annotated[bool | None, Field(alias="pass")] = None
    score: UnitScore | None = None
    reason: str | None = None
    named: Annotated[dict[Annotated[str, Field(pattern=METRIC)], UnitScore], Field(alias="namedScores", max_length=50)] = Field(
        default_factory=dict
    )


@dataclass(frozen=True)
class PythonCode(BaseScorer):
    """Passes if the suite's own code decides so: by a verdict, or by a score (above 0, or at least the threshold)."""

    threshold: float | None
    config: CodeConfig
    process: CodeProcess

    async def score(self, sample: ScorerInput) -> Score:
        """Call the code, and parse what it returns strictly."""
        return self.parse(await self.process.call(sample.value, code_context(sample, self.config)))

    def parse(self, returned: Any) -> Score:
        """Parse what the code returned: true or false, a number, or an object; also as text, as promptfoo accepts it.

        As there, `not-` inverts the verdict, but of the scores only those of a plain yes or no.

        Raises:
            CodeFailed: for anything else, and for a score that is not finite or not in [0, 1].
        """
        if isinstance(returned, str):
            returned = _parse_text(returned)
        if isinstance(returned, bool):
            return self.pass_or_fail(returned, f"the code returned {returned}")
        result = _parse_returned(returned)
        score = float(bool(result.passed)) if result.score is None else result.score
        reached = score > 0 if self.threshold is None else score >= self.threshold
        if result.passed is None:
            passed = reached
        else:
            passed = result.passed and (self.threshold is None or reached)
        reason = (result.reason or f"the code gave {score:g}")[:REASON_LIMIT]
        named = [WeightedScore(Score(name, value > 0, value, ""), metric=name) for name, value in result.named.items()]
        return Score(self.name, passed != self.inverse, score, reason, parts=tuple(named))


def _parse_returned(returned: Any) -> _ReturnedObject:
    """Parse a number or an object; an object must have a verdict.

    Raises:
        CodeFailed: for anything else.
    """
    body = _camel_names(returned) if isinstance(returned, dict) else {"score": returned}
    try:
        result = _ReturnedObject.model_validate(body)
    except ValidationError:
        result = _ReturnedObject()
    if result.passed is None and (result.score is None or isinstance(returned, dict)):
        raise CodeFailed(
            "the code must return true, false, a score from 0 to 1, or an object of pass, score, reason and namedScores"
        )
    return result


def _camel_names(returned: JsonObject) -> JsonObject:
    """Return the names that promptfoo reads for those that it accepts from Python, where `pass` is a keyword."""
    return {{"pass_": "pass", "named_scores": "namedScores"}.get(name, name): value for name, value in returned.items()}


def _parse_text(text: str) -> Any:
    folded = text.strip().lower()
    if folded in ("true", "false"):
        return folded == "true"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _python(settings: ScorerSettings[CodeSource, CodeConfig], dependencies: ScorerDependencies) -> PythonCode:
    if not dependencies.code:
        raise Invalid("code of suites is not run here; an operator can allow it by PROMPTUARY_CODE_SCORERS=true")
    process = CodeProcess(settings.value)
    reference = weakref.ref(process)
    dependencies.closing(lambda: alive.close() if (alive := reference()) is not None else None)
    return PythonCode(*settings.base, settings.threshold, settings.config, process)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "python": ScorerType(CodeSource, _python, threshold=ThresholdRange(0, 1), config=CodeConfig),
}
