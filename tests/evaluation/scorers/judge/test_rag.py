from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from promptuary.evaluation.scorers.score import Score
from promptuary.prompt.templates.prepared import Passage

Scores = Callable[..., Score]
CONTEXT = ["Paris is the capital of France.", "It lies on the Seine.", "It has two million people."]
VECTORS = {"What is the capital of France?": (1.0, 0.0), "near": (0.8, 0.6), "far": (0.0, 1.0), "opposite": (-1.0, 0.0)}


def embed(texts: Sequence[str]) -> Any:
    return np.array([VECTORS[text] for text in texts])


@pytest.mark.parametrize(
    ("questions", "threshold", "passed", "score"),
    [
        (["near", "near", "near"], 0.8, True, 0.8),
        (["near", "near", "far"], 0.8, False, 0.533333),
        (["far", "far", "far"], None, True, 0.0),
        (["opposite", "opposite", "opposite"], None, False, 0.0),
    ],
)
def test_relevance_is_the_similarity_of_questions_made_from_the_answer(
    questions: list[str], threshold: Any, passed: bool, score: float, judge_of: Any, score_of: Scores
) -> None:
    judge = judge_of(questions={"questions": questions})
    plain, inverted = (
        score_of(judge=judge, embed=embed, type=kind, threshold=threshold)
        for kind in ("answer-relevance", "not-answer-relevance")
    )
    assert (plain.passed, plain.score) == (passed, score)
    assert (inverted.passed, inverted.score) == (not passed, 1 - score)


def test_the_real_question_is_the_variable_query_where_there_is_one(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    judge = judge_of(questions={"questions": ["far"] * 3})
    result = score_of(sample_of(vars={"query": "far"}), judge=judge, embed=embed, type="answer-relevance")
    assert result.score == 1.0


@pytest.mark.parametrize("questions", [[], ["near"], ["near"] * 4, ["near", "near", ""], ["near", "near", 3]])
def test_other_than_three_questions_are_an_error(questions: Any, judge_of: Any, score_of: Scores) -> None:
    result = score_of(judge=judge_of(questions={"questions": questions}), embed=embed, type="not-answer-relevance")
    assert result.passed is None


@pytest.mark.parametrize(("threshold", "passed"), [(None, True), (0.66, True), (0.67, False)])
def test_recall_is_the_share_of_the_truth_that_the_context_has(
    threshold: Any, passed: bool, judge_of: Any, score_of: Scores, sample_of: Any
) -> None:
    statements = [{"statement": str(number), "attributed": number < 2} for number in range(3)]
    judge = judge_of(attributions={"statements": statements})
    plain, inverted = (
        score_of(sample_of(vars={"context": CONTEXT}), judge=judge, type=kind, value="The truth.", threshold=threshold)
        for kind in ("context-recall", "not-context-recall")
    )
    assert (plain.passed, plain.score) == (passed, pytest.approx(2 / 3))
    assert (inverted.passed, inverted.score) == (not passed, pytest.approx(1 / 3))
    assert "2 of 3" in plain.reason
    assert "\n\n".join(CONTEXT) in judge.tasks[0][2]


def test_without_context_recall_is_of_the_prompt(judge_of: Any, score_of: Scores) -> None:
    judge = judge_of(attributions={"statements": [{"statement": "x", "attributed": True}]})
    assert score_of(judge=judge, type="context-recall", value="The truth.").passed
    assert "<context>\nWhat is the capital of France?\n</context>" in judge.tasks[0][2]


@pytest.mark.parametrize(
    ("relevant", "passed", "score"), [([1], False, 1 / 3), ([1, 2, 2], True, 2 / 3), ([], False, 0.0), ([3, 2, 1], True, 1.0)]
)
def test_relevance_is_the_share_of_the_pieces_that_are_needed(
    relevant: list[int], passed: bool, score: float, judge_of: Any, score_of: Scores, sample_of: Any
) -> None:
    judge = judge_of(relevant={"relevant": relevant})
    result = score_of(sample_of(vars={"context": CONTEXT}), judge=judge, type="context-relevance", threshold=0.5)
    assert (result.passed, result.score) == (passed, pytest.approx(score))
    assert "1. Paris is the capital of France.\n2. It lies on the Seine." in judge.tasks[0][2]
    assert "<question>\nWhat is the capital of France?\n</question>" in judge.tasks[0][2]


@pytest.mark.parametrize("relevant", [[0], [4], [-1], ["1"], [True], None])
def test_a_piece_that_is_not_there_makes_the_answer_unreadable(
    relevant: Any, judge_of: Any, score_of: Scores, sample_of: Any
) -> None:
    sample = sample_of(vars={"context": CONTEXT})
    assert score_of(sample, judge=judge_of(relevant={"relevant": relevant}), type="not-context-relevance").passed is None


def test_the_context_is_the_prompts_passages_without_a_variable_for_it(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    passages = tuple(Passage(text, 1.0, "c", "d", 0, "sha256:0", {}) for text in CONTEXT)
    judge = judge_of(relevant={"relevant": [1]})
    assert score_of(sample_of(passages=passages), judge=judge, type="context-relevance").score == pytest.approx(1 / 3)


@pytest.mark.parametrize("context", [None, "", [], ["a", ""], 3])
@pytest.mark.parametrize("kind", ["context-relevance", "context-faithfulness", "not-context-faithfulness"])
def test_without_a_context_there_is_no_score(kind: str, context: Any, judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    result = score_of(sample_of(vars={"context": context}), judge=judge_of(), type=kind)
    assert result.passed is None
    assert "context" in str(result.error)


@pytest.mark.parametrize(("supported", "score"), [([True, True], 1.0), ([True, False], 0.5), ([False, False], 0.0)])
def test_faithfulness_is_the_share_of_statements_that_the_context_bears_out(
    supported: list[bool], score: float, judge_of: Any, score_of: Scores, sample_of: Any
) -> None:
    judge = judge_of(statements={"statements": ["a", "b"]}, supported={"supported": supported})
    sample = sample_of(vars={"context": "Paris is the capital."})
    result = score_of(sample, judge=judge, type="context-faithfulness", threshold=0.5)
    assert (result.passed, result.score) == (score >= 0.5, score)
    assert "<context>" not in judge.tasks[0][2]
    assert "1. a\n2. b" in judge.tasks[1][2]


def test_an_output_without_claims_has_no_supported_statement(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    judge = judge_of(statements={"statements": []})
    result = score_of(sample_of(vars={"context": "x"}), judge=judge, type="context-faithfulness", threshold=0.5)
    assert (result.passed, result.score) == (False, 0.0)


@pytest.mark.parametrize("supported", [[], [True], [True, True, True], [1, 0], ["yes", "no"]])
def test_every_statement_needs_its_verdict(supported: Any, judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    judge = judge_of(statements={"statements": ["a", "b"]}, supported={"supported": supported})
    sample = sample_of(vars={"context": "x"})
    assert score_of(sample, judge=judge, type="not-context-faithfulness").passed is None
