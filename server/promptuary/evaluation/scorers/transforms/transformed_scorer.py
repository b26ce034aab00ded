"""A scorer with a transform of its own: it scores what the transform makes of the output."""

from dataclasses import dataclass, replace

from promptuary.evaluation.scorers.score import OutputStages, Score, Scorer, ScorerInput
from promptuary.evaluation.scorers.transforms.transform import Transform, TransformContext, TransformFailed, value_text


@dataclass(frozen=True)
class TransformedScorer:
    """Applies transforms, then scores.

    Attributes:
        scorer: the scorer.
        output: makes the output that it scores; None for the output as it is.
        context: makes the context that a judge reads, from the output before the case's transform; None for the usual one.
    """

    scorer: Scorer
    output: Transform | None = None
    context: Transform | None = None

    @property
    def name(self) -> str:
        """The scorer's name."""
        return self.scorer.name

    @property
    def weight(self) -> float:
        """The scorer's weight."""
        return self.scorer.weight

    async def score(self, sample: ScorerInput) -> Score:
        """Score the transformed output.

        Raises:
            TransformFailed: where a transform fails.
        """
        known = TransformContext(sample.case.vars, {"label": sample.prompt_text}, sample.metadata)
        stages = sample.stages or OutputStages(sample.output, sample.output, sample.output)
        if self.context is not None:
            sample = replace(sample, context=_context(await self.context.apply(stages.provider, known)))
        if self.output is not None:
            value = await self.output.apply(stages.value, known)
            sample = replace(sample, output=value_text(value), stages=replace(stages, value=value))
        return await self.scorer.score(sample)


def _context(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) and item.strip() for item in value):
        return tuple(value)
    raise TransformFailed("the context's transform must return a text or a list of texts, none of them empty")
