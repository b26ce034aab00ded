"""Retrieval metrics, on a ranking whose values are computed by hand."""

import math
from typing import Any

import pytest

from factories.scorers import score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.templates.prepared import Passage

RETRIEVED = ("d1", "d2", "d2", "d3", "d4")
"""The documents of the passages; `d2` has two."""
RELEVANT = ["d2", "d4", "d9"]


def score(name: str, retrieved: tuple[str, ...] = RETRIEVED, relevant: Any = RELEVANT, **spec: Any) -> Score:
    fields = {"type": name, "value": "{{metadata.relevant}}", **spec}
    passages = tuple(Passage("text", 0.5, "c", document, number, "sha256:x", {}) for number, document in enumerate(retrieved))
    return score_sample(ScorerInput(Case("c", {}, metadata={"relevant": relevant}), "x", passages=passages), **fields)


IDEAL = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
EXPECTED = [
    ("retrieval-precision", None, 2 / 4),
    ("retrieval-precision", 2, 1 / 2),
    ("retrieval-precision", 10, 2 / 10),
    ("retrieval-recall", None, 2 / 3),
    ("retrieval-recall", 2, 1 / 3),
    ("retrieval-mrr", None, 1 / 2),
    ("retrieval-mrr", 1, 0.0),
    ("retrieval-ndcg", None, (1 / math.log2(3) + 1 / math.log2(5)) / IDEAL),
    ("retrieval-ndcg", 2, (1 / math.log2(3)) / (1 / math.log2(2) + 1 / math.log2(3))),
]


@pytest.mark.parametrize(("name", "k", "expected"), EXPECTED)
def test_a_metric_equals_the_value_computed_by_hand(name: str, k: int | None, expected: float) -> None:
    cut = {"config": {"k": k}} if k else {}
    plain = score(name, **cut)
    assert (plain.passed, plain.score) == (expected >= 0.5, pytest.approx(expected))
    inverted = score(f"not-{name}", **cut)
    assert (inverted.passed, inverted.score) == (expected < 0.5, pytest.approx(1 - expected))


@pytest.mark.parametrize("name", sorted({name for name, _, _ in EXPECTED}))
def test_the_best_ranking_scores_one_and_an_empty_one_zero(name: str) -> None:
    assert score(name, ("d2", "d4", "d9")).score == pytest.approx(1)
    assert score(name, ()).score == 0


def test_the_relevant_documents_can_be_a_comma_separated_text() -> None:
    assert score("retrieval-recall", relevant="d1, d2, d7, d8").score == 0.5


def test_a_case_without_relevant_documents_is_an_error() -> None:
    assert "empty list" in (score("retrieval-recall", relevant=[]).error or "")


@pytest.mark.parametrize("config", [{"k": 0}, {"k": 1.5}, {"k": True}, {"k": 5000}, {}, {"n": 3}])
def test_the_cutoff_must_be_a_whole_number(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="k"):
        ScorerSpec.model_validate({"type": "retrieval-recall", "value": "d", "config": config})
