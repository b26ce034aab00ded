"""Builds scorers from the specs of suites and cases, and computes the digests of their judges."""

from promptuary.evaluation.scorers.assert_set import EachTurn
from promptuary.evaluation.scorers.catalog import find_scorer_type, scorer_types
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.invalid_value import InvalidValueScorer, invalid_message
from promptuary.evaluation.scorers.score import Scorer
from promptuary.evaluation.scorers.scorer_type import NestedScorer, ScorerSettings
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.transform import build_transform
from promptuary.evaluation.scorers.transforms.transformed_scorer import TransformedScorer
from promptuary.models.model_spec import model_json
from promptuary.prompt.digest import json_digest


def build_scorer(spec: ScorerSpec, dependencies: ScorerDependencies) -> Scorer:
    """Build the scorer of a checked spec; its templates, pattern and schema are parsed once, here.

    Raises:
        Invalid: for a value that a checked suite cannot have, or for code and addresses that are not allowed here.
    """
    if (message := invalid_message(spec.value)) is not None:
        invalid = InvalidValueScorer(spec.metric, spec.weight, message)
        return EachTurn(invalid) if spec.each_turn else invalid
    scorer_type = scorer_types()[spec.type_name]
    threshold = spec.threshold
    if threshold is None and scorer_type.threshold is not None:
        threshold = scorer_type.threshold.default
    config = scorer_type.parse_config(spec.config)
    settings = ScorerSettings(
        metric=spec.metric,
        weight=spec.weight,
        inverse=spec.inverse,
        value=scorer_type.parse_value(spec.value, config, in_case=True),
        config=config,
        threshold=threshold,
        model=spec.model or "",
        nested=tuple(NestedScorer(inner.name, build_scorer(inner, dependencies)) for inner in spec.asserts or ()),
    )
    scorer = scorer_type.build(settings, dependencies)
    output = build_transform(spec.transform, dependencies)
    context = build_transform(spec.context_transform, dependencies)
    if output is not None or context is not None:
        scorer = TransformedScorer(scorer, output, context)
    return EachTurn(scorer) if spec.each_turn else scorer


def judge_digest(spec: ScorerSpec) -> str | None:
    """Return the digest of a scorer's judge: the model, and every task with the form of its output.

    Two scorers with the same digest are judged alike, whatever their rubrics are. The digest of a set covers all judges in it.
    None for a scorer without a judge.
    """
    nested = [digest for inner in spec.asserts or () if (digest := judge_digest(inner)) is not None]
    if nested:
        return json_digest(nested)
    scorer_type = find_scorer_type(spec.type_name)
    if scorer_type is None or not scorer_type.judged:
        return None
    prompt = (spec.config or {}).get("prompt")
    tasks = [{"instruction": prompt or task.instruction, "schema": dict(task.schema)} for task in scorer_type.tasks]
    return json_digest({"model": model_json(spec.model), "asked": tasks})
