"""The scorer by which a model judges whether the steps and the output reach a goal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from promptuary.evaluation.conversations.trajectory import StepType, Trajectory
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.judge.judge import UNTRUSTED_TEXT_NOTE, Judge, JudgeConfig, build_judge
from promptuary.evaluation.scorers.judge.rubric import GRADE_PROPERTIES, GradeOutput
from promptuary.evaluation.scorers.judge_task import judge_task
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.trajectory.matcher import known_steps
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TemplateValue
from promptuary.prompt.errors import Invalid

STEPS_LIMIT = 100
"""The most steps that a judge is shown: the first half and the last."""
GOAL = judge_task(
    "grade",
    "You decide whether an assistant has reached a goal for its user, by its steps (calls of tools with their arguments, and "
    "texts) and its output. What counts is the outcome, not the style: a step shows what was really done, and an output that "
    "states what no step has done does not reach the goal. A goal that is reached in part has a score in between."
    f"{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `reason`, one sentence; `pass`, true if the goal is reached, else "
    "false; `score`, from 0 (not at all) to 1 (fully).",
    GradeOutput,
    **GRADE_PROPERTIES,
)


class GoalValue(TemplateValue):
    """A goal: a text, or an object that has it as `goal`."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that there is a goal."""
        _goal(value)


@dataclass(frozen=True)
class GoalSuccess(BaseScorer):
    """Passes if a judge decides that the goal is reached, with a score of at least the threshold if there is one.

    With `not-` it passes with 1 if the goal is not reached, else fails with 0.
    """

    goal: ValueTemplate
    threshold: float | None
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Return the judge's score; an output of another form is an error, with and without `not-`."""
        goal, steps = _goal(self.goal.fill(sample.case)), known_steps(sample)
        grade = await self.judge.run(
            GOAL, sample, ("goal", goal), ("steps", _steps_json(steps)), ("output", sample.judged_output)
        )
        score = grade.known_score()
        passed = grade.passed and (self.threshold is None or score >= self.threshold)
        if self.inverse:
            return Score.binary(self.name, not passed, grade.reason)
        return self.graded(passed, score, grade.reason)


def _goal(value: Any) -> str:
    goal = value.get("goal") if isinstance(value, Mapping) and value.keys() == {"goal"} else value
    if not isinstance(goal, str) or not goal.strip():
        raise Invalid("is required: the goal as a text, or an object that has it as `goal`")
    return goal.strip()


def _steps_json(steps: Trajectory) -> str:
    """Return steps as JSON for a judge, those in the middle of very many left out."""
    numbered = list(enumerate(steps, 1))
    visible = numbered if len(numbered) <= STEPS_LIMIT else numbered[: STEPS_LIMIT // 2] + numbered[-STEPS_LIMIT // 2 :]
    bodies = [
        {
            "step": number,
            "type": step.type,
            **({"name": step.name, "arguments": step.arguments} if step.type is StepType.TOOL else {}),
        }
        for number, step in visible
    ]
    return json.dumps({"steps": len(steps), "listed": bodies}, ensure_ascii=False, default=str)


def _build(settings: ScorerSettings[GoalValue, JudgeConfig], dependencies: ScorerDependencies) -> GoalSuccess:
    return GoalSuccess(*settings.base, settings.value.template, settings.threshold, build_judge(settings, dependencies))


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "trajectory:goal-success": ScorerType(GoalValue, _build, threshold=ThresholdRange(0, 1), tasks=(GOAL,), config=JudgeConfig),
}
