import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec

VECTORS = {"cat": (1.0, 0.0), "kitten": (0.8, 0.6), "stone": (0.0, 1.0), "uncat": (-1.0, 0.0)}


def embed(texts: Sequence[str]) -> Any:
    return np.array([VECTORS[text] for text in texts], dtype=np.float32)


def score(output: str, **spec: Any) -> Score:
    def no_chat(_: str) -> Any:
        raise AssertionError("similarity asks no judge")

    scorer = build_scorer(ScorerSpec.model_validate(spec), ScorerDependencies(embed=embed, ask=no_chat))
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {}, expected=["stone", "cat"]), output)))


@pytest.mark.parametrize(
    ("spec", "passed", "expected"),
    [
        ({"value": "cat"}, True, 0.8),
        ({"value": "cat", "threshold": 0.8}, True, 0.8),
        ({"value": "cat", "threshold": 0.81}, False, 0.8),
        ({"value": "stone"}, False, 0.6),
        ({"value": ["stone", "cat"]}, True, 0.8),
        ({"value": "{{expected}}"}, True, 0.8),
        ({"value": "uncat"}, False, 0.0),
    ],
)
def test_the_nearest_text_decides_and_not_inverts_the_score(spec: dict[str, Any], passed: bool, expected: float) -> None:
    plain, inverted = score("kitten", type="similar", **spec), score("kitten", type="not-similar", **spec)
    assert (plain.passed, inverted.passed) == (passed, not passed)
    assert [plain.score, inverted.score] == pytest.approx([expected, 1 - expected], abs=1e-6)


def test_a_text_has_the_highest_similarity_to_itself() -> None:
    assert score("kitten", type="similar", value="kitten", threshold=1).passed is True


@pytest.mark.parametrize("kind", ["similar", "not-similar"])
def test_an_embedder_that_fails_is_an_error_without_a_verdict(kind: str) -> None:
    result = score("a word it has never seen", type=kind, value="cat")
    assert (result.passed, result.score) == (None, None)
    assert (result.error or "").startswith("KeyError")
