import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.judge.judge import JudgeUnclear
from promptuary.evaluation.scorers.judge.select_best import SelectBest
from promptuary.evaluation.scorers.score import Score
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply

Prefers = Callable[[str, str], str]


def create_scorer(
    prefers: Prefers, scorer_type: str = "select-best", compared_pairs: list[tuple[str, str]] | None = None
) -> SelectBest:
    """Create the scorer with a judge that prefers, of its first and second text, by the function; record them."""

    async def ask(model: str, messages: Any, *, schema: Any = None, repeat: int = 0) -> ModelReply:
        lines = messages[1]["content"].split("\n")
        first, second = lines[lines.index("<first>") + 1], lines[lines.index("<second>") + 1]
        if compared_pairs is not None:
            compared_pairs.append((first, second))
        return ModelReply("", parsed={"reason": "so", "better": prefers(first, second)})

    spec = ScorerSpec.model_validate({"type": scorer_type, "value": "is the {{what}}", "model": "openai:judge"})
    scorer = build_scorer(spec, ScorerDependencies(embed=list, ask=ask))
    assert isinstance(scorer, SelectBest)
    return scorer


def compare(scorer: SelectBest, **outputs: str) -> Mapping[str, Score]:
    return asyncio.run(scorer.compare(Case("c", {"what": "longest"}), 0, outputs))


def longer(first: str, second: str) -> str:
    return "neither" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def verdicts(scores: Mapping[str, Score]) -> dict[str, tuple[bool | None, float | None]]:
    return {name: (score.passed, score.score) for name, score in scores.items()}


def test_only_the_output_with_the_most_wins_passes() -> None:
    scores = compare(create_scorer(longer), a="x", b="xxx", c="xx")
    assert verdicts(scores) == {"a": (False, 0.0), "b": (True, 1.0), "c": (False, 0.0)}
    assert scores["b"].reason == "the best: 2 won, 0 lost, 0 tied"
    assert scores["c"].reason == "not the best: 1 won, 1 lost, 0 tied"


def test_not_inverts_verdict_and_score() -> None:
    assert verdicts(compare(create_scorer(longer, "not-select-best"), a="x", b="xx")) == {"a": (True, 1.0), "b": (False, 0.0)}


@pytest.mark.parametrize("position", ["first", "second", "neither"])
def test_a_judge_that_prefers_a_position_prefers_no_output(position: str) -> None:
    scores = compare(create_scorer(lambda first, second: position), a="x", b="xx", c="xxx")
    assert verdicts(scores) == {name: (True, 1 / 3) for name in "abc"}
    assert scores["a"].reason == "one of 3 best: 0 won, 0 lost, 2 tied"


def test_losses_decide_between_equal_wins_and_the_rest_share_the_place() -> None:
    wins = {("a", "x"), ("b", "y"), ("z", "b")}

    def prefers(first: str, second: str) -> str:
        return "first" if (first, second) in wins else "second" if (second, first) in wins else "neither"

    scores = compare(create_scorer(prefers), v1="a", v2="x", v3="b", v4="y", v5="z")
    assert {name for name, score in scores.items() if score.passed} == {"v1", "v5"}
    assert scores["v1"].score == scores["v5"].score == 0.5


def test_each_pair_is_judged_in_both_orders_and_equal_outputs_never() -> None:
    compared_pairs: list[tuple[str, str]] = []
    compare(create_scorer(longer, compared_pairs=compared_pairs), a="x", b="xx", c="x")
    assert sorted(compared_pairs) == [("x", "xx"), ("x", "xx"), ("xx", "x"), ("xx", "x")]


@given(outputs=st.lists(st.text(alphabet="xy", min_size=1, max_size=4), min_size=2, max_size=5))
def test_scores_sum_to_one_and_do_not_depend_on_the_variants_order(outputs: list[str]) -> None:
    named = {f"v{number}": text for number, text in enumerate(outputs)}
    scores = compare(create_scorer(longer), **named)
    assert sum(score.score or 0 for score in scores.values()) == pytest.approx(1)
    backwards = compare(create_scorer(longer), **dict(reversed(named.items())))
    assert verdicts(scores) == {name: verdicts(backwards)[name] for name in named}


@pytest.mark.parametrize("answer", ["third", "First", ""])
def test_one_invalid_judge_output_leaves_no_variant_with_a_score(answer: str) -> None:
    with pytest.raises(JudgeUnclear):
        compare(create_scorer(lambda first, second: answer if first == "x" else "first"), a="x", b="xx", c="xxx")


def test_a_single_output_has_no_other_to_compare_with() -> None:
    score = compare(create_scorer(longer), a="x")["a"]
    assert (score.passed, score.score) == (None, None)
    assert "no other output" in str(score.error)
