"""The scorer that compares meanings, by the cosine of two embeddings."""

import math
from dataclasses import dataclass
from typing import Any

from promptuary.embedding.shared_embedding import SharedEmbedding
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TextListValue
from promptuary.prompt.errors import Invalid

DEFAULT_THRESHOLD = 0.75
_ROUNDING = 1e-6  # embeddings are 32-bit: the cosine of equal texts may be a little below 1


@dataclass(frozen=True)
class Similar(BaseScorer):
    """Passes if the cosine of the output to the text, or to the nearest of several, is at least `threshold`.

    The score is the cosine to the nearest text, 0 for a negative one; with `not-` it is one minus that.
    """

    references: ValueTemplate
    threshold: float
    embed: SharedEmbedding

    async def score(self, sample: ScorerInput) -> Score:
        """Embed output and texts together with those of other cases."""
        texts = self.references.texts(sample.case, commas=False)
        if not all(texts):
            raise Invalid(f"the value is empty for case '{sample.case.id}', so that there is nothing to compare with")
        rows = await self.embed([sample.output, *texts])
        similarity = float(max(rows[1:] @ rows[0]))
        if math.isnan(similarity):
            raise ValueError("the embedding model returned no numbers")
        passed = similarity >= self.threshold - _ROUNDING
        reason = f"similarity {similarity:.3f}, threshold {self.threshold:g}"
        return self.graded(passed, min(1.0, max(0.0, similarity)), reason)


def _build(settings: ScorerSettings[TextListValue, NoConfig], dependencies: ScorerDependencies) -> Similar:
    return Similar(*settings.base, settings.value.template, settings.known_threshold, dependencies.shared_embedding)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "similar": ScorerType(TextListValue, _build, threshold=ThresholdRange(0, 1, default=DEFAULT_THRESHOLD)),
}
