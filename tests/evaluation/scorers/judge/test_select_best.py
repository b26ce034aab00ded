import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.judge.judge import JudgeUnclear
from promptuary.evaluation.scorers.judge.select_best import SelectBest, build_select_best
from promptuary.evaluation.scorers.score import Score
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply

Prefers = Callable[[str, str], str]


def best(prefers: Prefers, kind: str = "select-best", asked: list[tuple[str, str]] | None = None) -> SelectBest:
    """Make the scorer with a judge that prefers, of the first and the second text that it is shown, by the function."""

    async def ask(model: str, messages: Any, *, schema: Any = None, repeat: int = 0) -> ModelReply:
        lines = messages[1]["content"].split("\n")
        first, second = lines[lines.index("<first>") + 1], lines[lines.index("<second>") + 1]
        if asked is not None:
            asked.append((first, second))
        return ModelReply("", parsed={"reason": "so", "better": prefers(first, second)})

    spec = ScorerSpec.model_validate({"type": kind, "value": "is the {{what}}", "model": "openai:judge"})
    return build_select_best(spec, ScorerDependencies(embed=list, ask=ask))


def compared(scorer: SelectBest, **outputs: str) -> Mapping[str, Score]:
    return asyncio.run(scorer.compared(Case("c", {"what": "longest"}), 0, outputs))


def longer(first: str, second: str) -> str:
    return "neither" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def shown(scores: Mapping[str, Score]) -> dict[str, tuple[bool | None, float | None]]:
    return {name: (score.passed, score.score) for name, score in scores.items()}


def test_the_output_that_wins_the_most_pairs_passes_and_the_others_do_not() -> None:
    scores = compared(best(longer), a="x", b="xxx", c="xx")
    assert shown(scores) == {"a": (False, 0.0), "b": (True, 1.0), "c": (False, 0.0)}
    assert scores["b"].reason == "the best: 2 won, 0 lost, 0 tied"
    assert scores["c"].reason == "not the best: 1 won, 1 lost, 0 tied"


def test_not_turns_verdict_and_score() -> None:
    assert shown(compared(best(longer, "not-select-best"), a="x", b="xx")) == {"a": (True, 1.0), "b": (False, 0.0)}


@pytest.mark.parametrize("place", ["first", "second", "neither"])
def test_a_judge_that_tends_to_a_place_prefers_nobody(place: str) -> None:
    scores = compared(best(lambda first, second: place), a="x", b="xx", c="xxx")
    assert shown(scores) == {name: (True, 1 / 3) for name in "abc"}
    assert scores["a"].reason == "one of 3 best: 0 won, 0 lost, 2 tied"


def test_equal_wins_are_told_apart_by_losses_and_what_is_left_shares_the_place() -> None:
    wins = {("a", "x"), ("b", "y"), ("z", "b")}

    def prefers(first: str, second: str) -> str:
        return "first" if (first, second) in wins else "second" if (second, first) in wins else "neither"

    scores = compared(best(prefers), v1="a", v2="x", v3="b", v4="y", v5="z")
    assert {name for name, score in scores.items() if score.passed} == {"v1", "v5"}
    assert scores["v1"].score == scores["v5"].score == 0.5


def test_each_pair_is_asked_in_both_orders_and_equal_outputs_not_at_all() -> None:
    asked: list[tuple[str, str]] = []
    compared(best(longer, asked=asked), a="x", b="xx", c="x")
    assert sorted(asked) == [("x", "xx"), ("x", "xx"), ("xx", "x"), ("xx", "x")]


@given(outputs=st.lists(st.text(alphabet="xy", min_size=1, max_size=4), min_size=2, max_size=5))
def test_the_scores_of_a_case_come_to_one_and_do_not_depend_on_the_order_of_variants(outputs: list[str]) -> None:
    named = {f"v{number}": text for number, text in enumerate(outputs)}
    scores = compared(best(longer), **named)
    assert sum(score.score or 0 for score in scores.values()) == pytest.approx(1)
    backwards = compared(best(longer), **dict(reversed(named.items())))
    assert shown(scores) == {name: shown(backwards)[name] for name in named}


@pytest.mark.parametrize("answer", ["third", "First", ""])
def test_one_answer_that_cannot_be_read_leaves_nobody_with_a_score(answer: str) -> None:
    with pytest.raises(JudgeUnclear):
        compared(best(lambda first, second: answer if first == "x" else "first"), a="x", b="xx", c="xxx")


def test_a_single_output_has_no_other_to_be_compared_with() -> None:
    score = compared(best(longer), a="x")["a"]
    assert (score.passed, score.score) == (None, None)
    assert "no other output" in str(score.error)
