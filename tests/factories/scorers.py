"""Scorers that call no model, and the score of one output by such a scorer."""

import asyncio
from typing import Any

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec


def no_model(*_: Any, **__: Any) -> Any:
    """Raise AssertionError: takes the place of a model or an embedding that the scorers under test never call."""
    raise AssertionError("these scorers call no model")


NO_MODELS = ScorerDependencies(embed=no_model, ask=no_model)


def score_sample(sample: ScorerInput, **spec: Any) -> Score:
    """Score an output by the scorer that the fields of `spec` describe."""
    return asyncio.run(run_scorer(build_scorer(ScorerSpec.model_validate(spec), NO_MODELS), sample))
