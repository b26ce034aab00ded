"""Who a judge is: the digests of its prompt, its model and its rubric. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from promptuary.evaluation.judge_figures import ChangedPart
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.model_spec import model_json
from promptuary.prompt.digest import json_digest


@dataclass(frozen=True)
class MetricJudge:
    """A model that scores a metric in one way.

    Attributes:
        metric: that it scores.
        type: of the scorer, as the suite names it.
        model: its name in LangChain's `provider:model` form.
        rubric: what it looks for: the suite's text, or other JSON as text.
        threshold: the score from which on it passes an output; None where its answer alone decides.
        digest: of all that decides how it judges.
        prompt_digest: of its instruction, the form of its answer, and what of the output it reads.
        model_digest: of its model with the settings.
        rubric_digest: of the rubric and the threshold.
        texts: its instruction and rubric, in which examples may stand.
    """

    metric: str
    type: str
    model: str
    rubric: str
    threshold: float | None
    digest: str
    prompt_digest: str
    model_digest: str
    rubric_digest: str
    texts: tuple[str, ...]

    @classmethod
    def of(cls, spec: ScorerSpec) -> "MetricJudge":
        """Compute the identity of a scorer's judge; the scorer's name and weight are no part of it."""
        scorer_type = find_scorer_type(spec.type_name)
        tasks = scorer_type.tasks if scorer_type is not None else ()
        config = spec.config or {}
        prompt = json_digest(
            {
                "type": spec.type,
                "asked": [{"instruction": task.instruction, "schema": dict(task.schema)} for task in tasks],
                "config": config,
                "transform": spec.transform,
                "context_transform": spec.context_transform,
                "each_turn": spec.each_turn,
            }
        )
        model = json_digest({"model": model_json(spec.model)})
        rubric = json_digest({"value": spec.value, "threshold": spec.threshold})
        return cls(
            metric=spec.metric,
            type=spec.type,
            model="" if spec.model is None else str(spec.model),
            rubric=spec.value if isinstance(spec.value, str) else json.dumps(spec.value, ensure_ascii=False),
            threshold=spec.threshold,
            digest=json_digest({"prompt": prompt, "model": model, "rubric": rubric}),
            prompt_digest=prompt,
            model_digest=model,
            rubric_digest=rubric,
            texts=tuple(_texts([config, spec.value])),
        )

    def changes_to(self, other: "MetricJudge") -> tuple[ChangedPart, ...]:
        """Return what another judge of the metric has otherwise; empty for the same judge."""
        parts = (
            (ChangedPart.PROMPT, self.prompt_digest, other.prompt_digest),
            (ChangedPart.MODEL, self.model_digest, other.model_digest),
            (ChangedPart.RUBRIC, self.rubric_digest, other.rubric_digest),
        )
        return tuple(part for part, own, others in parts if own != others)


def judges_of(scorers: Sequence[ScorerSpec]) -> dict[str, MetricJudge]:
    """Return the judge of each metric that a model judges, also inside sets; of several with one name the first."""
    judges: dict[str, MetricJudge] = {}
    for spec in _judged_specs(scorers, nested=False):
        judges.setdefault(spec.metric, MetricJudge.of(spec))
    return judges


def judged_metrics(scorers: Sequence[ScorerSpec]) -> Iterator[str]:
    """Yield the name of each scorer that a model judges, also of those inside sets, by their type where they have no name."""
    for spec in scorers:
        scorer_type = find_scorer_type(spec.type_name)
        if scorer_type is not None and scorer_type.judged:
            yield spec.metric
        yield from judged_metrics(spec.asserts or ())


def _judged_specs(scorers: Sequence[ScorerSpec], *, nested: bool) -> Iterator[ScorerSpec]:
    for spec in scorers:
        scorer_type = find_scorer_type(spec.type_name)
        if scorer_type is not None and scorer_type.judged and (spec.name is not None or not nested):
            yield spec
        yield from _judged_specs(spec.asserts or (), nested=True)


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
