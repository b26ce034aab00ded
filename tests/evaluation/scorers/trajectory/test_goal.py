"""The judge of a goal: it sees goal, steps and output, and `not-` inverts its verdict."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.trajectory import Step, StepType
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply

STEPS = (Step(StepType.TOOL, "get_order", {"id": 7}), Step(StepType.MESSAGE, "message"))


def judged(body: Mapping[str, Any], **spec: Any) -> tuple[Score, str]:
    seen: list[str] = []

    async def ask(model: Any, messages: Sequence[Mapping[str, str]], **_: Any) -> ModelReply:
        seen.append(messages[-1]["content"])
        return ModelReply(json.dumps(body), parsed=dict(body))

    dependencies = ScorerDependencies(embed=lambda texts: [], ask=ask)
    fields = {"type": "trajectory:goal-success", "value": "answer for {{order}}", "model": "local:smollm2", **spec}
    sample = ScorerInput(Case("c", {"order": "7"}), "It has shipped.", trajectory=STEPS)
    score = asyncio.run(run_scorer(build_scorer(ScorerSpec.model_validate(fields), dependencies), sample))
    return score, seen[0]


def test_the_judge_sees_goal_steps_and_output() -> None:
    score, text = judged({"reason": "done", "pass": True, "score": 0.9})

    assert (score.passed, score.score) == (True, 0.9)
    assert all(part in text for part in ("answer for 7", "get_order", '{"id": 7}', "It has shipped."))


@pytest.mark.parametrize(
    ("passed", "score", "threshold", "inverse", "expected"),
    [
        (True, 0.6, 0.8, False, (False, 0.6)),
        (True, 0.8, 0.8, False, (True, 0.8)),
        (False, 0.9, None, False, (False, 0.9)),
        (True, 0.6, None, True, (False, 0.0)),
        (False, 0.3, None, True, (True, 1.0)),
    ],
)
def test_threshold_and_inversion_are_promptfoos(
    passed: bool, score: float, threshold: float | None, inverse: bool, expected: tuple[bool, float]
) -> None:
    spec = {"type": f"{'not-' if inverse else ''}trajectory:goal-success"}
    result, _ = judged({"reason": "", "pass": passed, "score": score}, **spec, threshold=threshold)

    assert (result.passed, result.score) == expected


def test_a_goal_may_be_an_object() -> None:
    assert "find it" in judged({"reason": "", "pass": True, "score": 1.0}, value={"goal": "find it"})[1]
