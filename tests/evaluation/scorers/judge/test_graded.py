import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec

Scores = Callable[..., Score]
STEPS = {"steps": ["Look at the words.", "Decide."]}


def marks(**by_criterion: float) -> Any:
    """Mark by the criterion's name, which is its text."""

    def mark(texts: str) -> Any:
        criterion = texts.split("<criterion>\n")[1].split("\n")[0]
        return {"reason": f"{criterion} seen", "score": by_criterion[criterion]}

    return mark


@pytest.mark.parametrize(
    ("value", "threshold", "passed", "score"),
    [
        ("polite", None, True, 0.7),
        ("rude", None, False, 0.2),
        (["polite", "rude"], None, False, 0.45),
        (["polite", "rude"], 0.45, True, 0.45),
        (["polite", "polite", "polite"], 0.7, True, 0.7),
    ],
)
def test_g_eval_is_the_mean_of_the_marks_over_the_criteria(
    value: Any, threshold: Any, passed: bool, score: float, judge_of: Any, score_of: Scores
) -> None:
    judge = judge_of(steps=STEPS, mark=marks(polite=7, rude=2))
    plain, inverted = (score_of(judge=judge, type=kind, value=value, threshold=threshold) for kind in ("g-eval", "not-g-eval"))
    assert (plain.passed, plain.score) == (passed, score)
    assert (inverted.passed, inverted.score) == (not passed, 1 - score)
    assert "seen" in plain.reason


def test_the_steps_of_a_criterion_are_made_once_for_all_outputs(judge_of: Any, sample_of: Any) -> None:
    judge = judge_of(steps=STEPS, mark=marks(polite=10))
    spec = ScorerSpec.model_validate({"type": "g-eval", "value": "polite", "model": "openai:judge"})

    async def several() -> list[Score]:
        scorer = build_scorer(spec, ScorerDependencies(embed=list, ask=judge.ask))
        return list(await asyncio.gather(*(run_scorer(scorer, sample_of(text)) for text in "abc")))

    assert [score.score for score in asyncio.run(several())] == [1.0, 1.0, 1.0]
    assert [title for title, *_ in judge.tasks].count("steps") == 1
    assert "1. Look at the words.\n2. Decide." in judge.tasks[-1][2]


@pytest.mark.parametrize("kind", ["g-eval", "not-g-eval"])
@pytest.mark.parametrize("mark", [{"reason": "x", "score": 11}, {"reason": "x", "score": -1}, {"score": 5}, "none"])
def test_a_mark_outside_the_scale_is_an_error_for_all_criteria(kind: str, mark: Any, judge_of: Any, score_of: Scores) -> None:
    result = score_of(judge=judge_of(steps=STEPS, mark=mark), type=kind, value=["polite", "rude"])
    assert (result.passed, result.score) == (None, None)


@pytest.mark.parametrize("value", [None, "", [], [""], ["a", 1], {"a": 1}])
def test_g_eval_needs_criteria(value: Any) -> None:
    with pytest.raises(ValidationError, match="criterion"):
        ScorerSpec.model_validate({"type": "g-eval", "value": value, "model": "openai:judge"})


@pytest.mark.parametrize("kind", ["factuality", "model-graded-factuality"])
@pytest.mark.parametrize(("category", "passed"), [("A", True), ("B", True), ("C", True), ("D", False), ("E", True)])
def test_facts_pass_unless_they_contradict(kind: str, category: str, passed: bool, judge_of: Any, score_of: Scores) -> None:
    judge = judge_of(category={"reason": "so", "category": category})
    plain, inverted = (score_of(judge=judge, type=name, value="Paris") for name in (kind, f"not-{kind}"))
    assert (plain.passed, plain.score, plain.reason) == (passed, float(passed), f"{category}: so")
    assert (inverted.passed, inverted.score) == (not passed, float(not passed))


def test_which_categories_pass_and_their_scores_can_be_set(judge_of: Any, score_of: Scores) -> None:
    config = {"subset": 0.5, "superset": 0, "disagree": 0.25}
    result = {
        category: score_of(
            judge=judge_of(category={"reason": "so", "category": category}), type="factuality", value="Paris", config=config
        )
        for category in "ABCD"
    }
    assert {category: (score.passed, score.score) for category, score in result.items()} == {
        "A": (True, 0.5),
        "B": (False, 0.0),
        "C": (True, 1.0),
        "D": (True, 0.25),
    }


@pytest.mark.parametrize("config", [{"subset": 2}, {"agree": True}, {"agree": "1"}, {"other": 1}])
def test_scores_of_categories_are_numbers_from_0_to_1(config: Any) -> None:
    with pytest.raises(ValidationError, match=r"subset|agree|other"):
        ScorerSpec.model_validate({"type": "factuality", "value": "x", "model": "openai:judge", "config": config})


@pytest.mark.parametrize("category", ["F", "a", "A)", ""])
def test_an_unknown_category_is_an_error(category: str, judge_of: Any, score_of: Scores) -> None:
    result = score_of(judge=judge_of(category={"reason": "x", "category": category}), type="not-factuality", value="Paris")
    assert (result.passed, result.score) == (None, None)


@pytest.mark.parametrize("holds", [True, False])
def test_a_closed_question_is_answered_by_yes_or_no(holds: bool, judge_of: Any, score_of: Scores) -> None:
    judge = judge_of(verdict={"reason": "so", "holds": holds})
    plain, inverted = (
        score_of(judge=judge, type=kind, value="names a city")
        for kind in ("model-graded-closedqa", "not-model-graded-closedqa")
    )
    assert (plain.passed, plain.score) == (holds, float(holds))
    assert (inverted.passed, inverted.score) == (not holds, float(not holds))


def test_the_judge_gets_input_output_and_criterion_apart(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    judge = judge_of(verdict={"reason": "so", "holds": True})
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"})
    sample: ScorerInput = sample_of(vars={"what": "city"}, messages=messages)
    score_of(sample, judge=judge, type="model-graded-closedqa", value="names a {{what}}")
    assert judge.tasks[0][2] == (
        "<input>\n[system]\nBe brief.\n\n[user]\nCapital?\n</input>\n<output>\nParis.\n</output>\n"
        "<criterion>\nnames a city\n</criterion>"
    )
