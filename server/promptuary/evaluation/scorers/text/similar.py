"""The scorer that compares meanings, by the cosine of two embeddings."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import TEXTS, ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

DEFAULT_THRESHOLD = 0.75

_ROUNDING = 1e-6  # embeddings are 32-bit: equal texts may come out a little below 1


@dataclass(frozen=True)
class Similar(BaseScorer):
    """The output is at least as near as `threshold` (cosine) to the text, or to any one of several.

    The score is the cosine to the nearest text, 0 for a negative one; with `not-` it is one minus that.
    """

    value: ValueTemplate
    threshold: float
    embed: Callable[[Sequence[str]], Any]

    async def score(self, sample: ScorerInput) -> Score:
        """Embed output and texts in one call, in a thread."""
        texts = self.value.texts(sample.case, commas=False)
        rows = await asyncio.to_thread(self.embed, [sample.output, *texts])
        nearest = float(max(rows[1:] @ rows[0]))
        holds = nearest >= self.threshold - _ROUNDING
        near = min(1.0, max(0.0, nearest))
        reason = f"similarity {nearest:.3f}, threshold {self.threshold:g}"
        return Score(self.name, holds != self.inverse, 1 - near if self.inverse else near, reason)


def _similar(spec: "ScorerSpec", parts: ScorerDependencies) -> Similar:
    threshold = DEFAULT_THRESHOLD if spec.threshold is None else spec.threshold
    return Similar(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), threshold, parts.embed)


SCORER_TYPES: dict[str, ScorerType] = {"similar": ScorerType(TEXTS, _similar, threshold=(0, 1))}
