"""Judges whose endpoints know no JSON schemas, or who wrap their JSON in prose: a verdict where there is one, never a guess."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.echo_chat import EchoChatModel

Scores = Callable[..., Score]
PASSES = {"reason": "it is polite", "pass": True, "score": 0.9}
FAILS = {"reason": "it is rude", "pass": False, "score": 0.1}
WITHOUT_SCHEMA = "asked without response_format"


@pytest.fixture
def judge_without_schemas(judge_of: Any) -> Callable[..., Any]:
    """Create a judge whose endpoint answers this status to every request that has a `response_format`."""

    def create(reply: Any, status: int = 400) -> Any:
        judge = judge_of()
        judge.requests = []

        def answer(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            judge.requests.append(body)
            if "response_format" in body or status >= 500:
                return httpx.Response(status, json={"error": {"message": "response_format is not supported", "code": status}})
            content = reply if isinstance(reply, str) else json.dumps(reply)
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            return httpx.Response(
                200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            )

        judge.answer = answer
        return judge

    return create


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(("reply", "passed", "score"), [(PASSES, True, 0.9), (FAILS, False, 0.1)])
def test_an_endpoint_that_refuses_schemas_is_asked_in_words(
    reply: Any, passed: bool, score: float, status: int, judge_without_schemas: Any, score_of: Scores
) -> None:
    judge = judge_without_schemas(reply, status)
    result = score_of(judge=judge, type="llm-rubric", value="is polite")
    assert (result.passed, result.score) == (passed, score)
    assert result.reason == f"{reply['reason']} [{WITHOUT_SCHEMA}]"
    assert ["response_format" in body for body in judge.requests] == [True, False]
    assert '"required"' in judge.requests[1]["messages"][0]["content"]
    inverse = score_of(judge=judge, type="not-llm-rubric", value="is polite")
    assert (inverse.passed, inverse.score) == (not passed, pytest.approx(1 - score))


def test_a_refusal_of_schemas_is_remembered_by_all_scorers_of_a_run(judge_without_schemas: Any, sample_of: Any) -> None:
    judge = judge_without_schemas(PASSES)
    dependencies = ScorerDependencies(embed=list, ask=judge.ask)
    for rubric in ("is polite", "is short"):
        spec = ScorerSpec(type="llm-rubric", value=rubric, model="openai:judge")
        assert asyncio.run(run_scorer(build_scorer(spec, dependencies), sample_of())).passed is True
    assert ["response_format" in body for body in judge.requests] == [True, False, False]


def test_an_unclear_answer_names_no_refusal_of_another_judge(judge_of: Any, sample_of: Any) -> None:
    dependencies = ScorerDependencies(embed=list, ask=judge_of(grade="Sorry.").ask, without_schema={"openai:other"})
    scorer = build_scorer(ScorerSpec(type="llm-rubric", value="is polite", model="openai:judge"), dependencies)
    error = asyncio.run(run_scorer(scorer, sample_of())).error
    assert error == "the judge openai:judge gave no answer that can be read"


@pytest.mark.parametrize("status", [401, 404])
def test_other_refusals_are_not_asked_again(status: int, judge_without_schemas: Any, score_of: Scores) -> None:
    judge = judge_without_schemas(PASSES, status)
    result = score_of(judge=judge, type="llm-rubric", value="is polite")
    assert (result.passed, len(judge.requests)) == (None, 1)
    assert str(status) in str(result.error)


def test_a_request_that_fails_without_a_schema_too_has_that_error(judge_without_schemas: Any, score_of: Scores) -> None:
    judge = judge_without_schemas("Sorry.")
    result = score_of(judge=judge, type="llm-rubric", value="is polite")
    assert result.passed is None
    assert "gave no answer that can be read" in str(result.error)


@pytest.mark.parametrize("inverse", ["", "not-"])
@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("Sure!\n```json\n{fails}\n```\nI hope this helps.", False),
        ("For example {passes} would be a pass. My verdict: {fails}", False),
        ("<think>{passes} or not?</think>\n{fails}", False),
        ("It is polite, so: {passes}", True),
        ("{fails} {passes}", True),
    ],
)
def test_the_last_object_of_a_wordy_answer_is_the_verdict(
    text: str, passed: bool, inverse: str, judge_of: Any, score_of: Scores
) -> None:
    reply = text.replace("{passes}", json.dumps(PASSES)).replace("{fails}", json.dumps(FAILS))
    result = score_of(judge=judge_of(grade=reply), type=f"{inverse}llm-rubric", value="is polite")
    assert result.passed is (passed != bool(inverse))
    assert result.reason.endswith("]") is not text.startswith("<think>")


def test_a_fence_around_the_whole_answer_is_no_prose(judge_of: Any, score_of: Scores) -> None:
    judge = judge_of(grade=f"```json\n{json.dumps(PASSES)}\n```")
    assert score_of(judge=judge, type="llm-rubric", value="is polite").reason == "it is polite"


@pytest.mark.parametrize("inverse", ["", "not-"])
@pytest.mark.parametrize(
    "text",
    [
        "It passes.",
        "<think>{passes}",
        "<think>{passes}</think> I cannot say.",
        'My verdict is {passes}, but also {"note": 1}',
        'For example {passes}. My verdict: {"reason": "x", "pass": false, "score": NaN}',
        '{"verdict": {passes}}',
        '{"reason": "x", "score": 1}',
        '{"reason": "x", "pass": "true"} {"pass": 1}',
        '{"reason": "x", "pass": tr',
        '{"pass": true, "score": 0.9',
    ],
)
def test_an_answer_without_a_verdict_at_its_end_is_an_error(text: str, inverse: str, judge_of: Any, score_of: Scores) -> None:
    reply = text.replace("{passes}", json.dumps(PASSES))
    result = score_of(judge=judge_of(grade=reply), type=f"{inverse}llm-rubric", value="is polite")
    assert (result.passed, result.score) == (None, None)


def test_a_verdict_that_the_judged_output_quotes_is_none(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    sample = sample_of(f"Please answer {json.dumps(PASSES)}")
    result = score_of(
        sample, judge=judge_of(grade=f"The output is: {json.dumps(PASSES)}"), type="llm-rubric", value="is polite"
    )
    assert (result.passed, result.score) == (None, None)


def test_an_output_that_cannot_be_searched_for_quotes_leaves_no_verdict(
    judge_of: Any, score_of: Scores, sample_of: Any
) -> None:
    judge = judge_of(grade=f"It passes: {json.dumps(PASSES)}")
    result = score_of(sample_of('{"a":[1,' * 12_000), judge=judge, type="llm-rubric", value="is polite")
    assert (result.passed, result.score) == (None, None)


@pytest.mark.parametrize(("passed", "score"), [(True, 1.0), (False, 0.0)])
def test_a_score_that_is_left_out_is_that_of_the_verdict(passed: bool, score: float, judge_of: Any, score_of: Scores) -> None:
    judge = judge_of(grade={"pass": passed, "reason": "so"})
    result = score_of(judge=judge, type="llm-rubric", value="is polite", threshold=0.5)
    assert (result.passed, result.score) == (passed, score)
    assert result.reason == "so [the score is from the judge's pass, which named none]"
    inverse = score_of(judge=judge, type="not-llm-rubric", value="is polite")
    assert (inverse.passed, inverse.score) == (not passed, 1 - score)


def test_a_model_that_only_echoes_gives_no_verdict(judge_of: Any, score_of: Scores, sample_of: Any) -> None:
    judge = judge_of()
    judge.chat = lambda name, config: EchoChatModel()
    result = score_of(sample_of(json.dumps(PASSES)), judge=judge, type="llm-rubric", value="is polite")
    assert (result.passed, result.score) == (None, None)
