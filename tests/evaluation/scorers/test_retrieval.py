"""Retrieval metrics, on a ranking whose values are worked out by hand."""

import asyncio
import math
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.catalog import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.templates.prepared import Passage

FOUND = ("d1", "d2", "d2", "d3", "d4")
"""As passages of documents; `d2` has two."""
RELEVANT = ["d2", "d4", "d9"]


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


def score(kind: str, found: tuple[str, ...] = FOUND, relevant: Any = RELEVANT, **spec: Any) -> Score:
    given = {"type": kind, "value": "{{metadata.relevant}}", **spec}
    scorer = build_scorer(ScorerSpec.model_validate(given), ScorerDependencies(embed=nobody, ask=nobody))
    passages = tuple(Passage("text", 0.5, "c", document, number, "sha256:x", {}) for number, document in enumerate(found))
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {}, metadata={"relevant": relevant}), "x", passages=passages)))


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


@pytest.mark.parametrize(("kind", "k", "expected"), EXPECTED)
def test_a_metric_is_what_it_is_by_hand(kind: str, k: int | None, expected: float) -> None:
    cut = {"config": {"k": k}} if k else {}
    found = score(kind, **cut)
    assert (found.passed, found.score) == (expected >= 0.5, pytest.approx(expected))
    turned = score(f"not-{kind}", **cut)
    assert (turned.passed, turned.score) == (expected < 0.5, pytest.approx(1 - expected))


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in EXPECTED}))
def test_the_best_is_one_and_nothing_found_is_zero(kind: str) -> None:
    assert score(kind, ("d2", "d4", "d9")).score == pytest.approx(1)
    assert score(kind, ()).score == 0


def test_the_relevant_ones_may_be_a_comma_separated_text() -> None:
    assert score("retrieval-recall", relevant="d1, d2, d7, d8").score == 0.5


def test_a_case_that_names_none_is_an_error() -> None:
    assert "empty list" in (score("retrieval-recall", relevant=[]).error or "")


@pytest.mark.parametrize("config", [{"k": 0}, {"k": 1.5}, {"k": True}, {"k": 5000}, {}, {"n": 3}])
def test_a_cut_is_a_whole_number(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="k"):
        ScorerSpec.model_validate({"type": "retrieval-recall", "value": "d", "config": config})
