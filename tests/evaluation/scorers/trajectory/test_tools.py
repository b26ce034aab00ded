"""promptfoo's assertions on the tools of a trajectory, with its verdicts."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from factories.scorers import NO_MODELS, score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.trajectory import Step, StepType, Trajectory
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.validation_errors import field_errors_from

TOOL = StepType.TOOL
STEPS: Trajectory = (
    Step(StepType.REASONING, "reasoning"),
    Step(TOOL, "search_orders", {"order_id": "123", "include_history": False}),
    Step(TOOL, "search_inventory", {"query": "quantum computing", "limit": 3}),
    Step(TOOL, "compose_reply", {"tone": "friendly", "citations": ["doc_1", "doc_2"]}),
    Step(StepType.MESSAGE, "message"),
)


def verdict(type_name: str, value: Any, steps: Trajectory | None = STEPS, **variables: Any) -> Score:
    sample = ScorerInput(Case("c", variables), "done", trajectory=steps)
    return score_sample(sample, type=f"trajectory:{type_name}", value=value)


def inverted(type_name: str, value: Any, steps: Trajectory = STEPS) -> Score:
    sample = ScorerInput(Case("c", {}), "done", trajectory=steps)
    return score_sample(sample, type=f"not-trajectory:{type_name}", value=value)


@pytest.mark.parametrize(
    ("value", "passes", "passes_inverted"),
    [
        ("search_orders", True, False),
        ("SEARCH_*", True, False),
        ("search_order?", True, False),
        ("search", False, True),
        ("message", False, True),
        (["search_orders", "compose_reply"], True, False),
        (["search_orders", "missing"], False, False),
        (["missing", "other"], False, True),
        ({"pattern": "search*", "min": 2, "max": 2}, True, False),
        ({"pattern": "search*", "max": 1}, False, True),
        ({"name": "missing", "max": 3}, False, True),
        ({"name": "missing", "min": 0, "max": 0}, True, False),
        ({"name": "compose_reply"}, True, False),
    ],
)
def test_tool_used(value: Any, passes: bool, passes_inverted: bool) -> None:
    assert (verdict("tool-used", value).passed, inverted("tool-used", value).passed) == (passes, passes_inverted)


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (["search_orders", "compose_reply"], True),
        (["compose_reply", "search_orders"], False),
        (["search*", "search*"], True),
        (["search*", "search*", "search*"], False),
        ([{"name": "search_orders"}, {"pattern": "compose*", "type": "tool"}], True),
        ({"steps": ["search_orders", "compose_reply"]}, True),
        ({"mode": "exact", "steps": ["search_orders", "compose_reply"]}, False),
        ({"mode": "exact", "steps": ["search_orders", "search_inventory", "compose_reply"]}, True),
        ({"mode": "exact", "steps": ["search_orders", "search_inventory", "compose_reply", "more"]}, False),
    ],
)
def test_tool_sequence(value: Any, passes: bool) -> None:
    assert (verdict("tool-sequence", value).passed, inverted("tool-sequence", value).passed) == (passes, not passes)


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ({"name": "search_orders", "args": {"order_id": "123"}}, True),
        ({"name": "search_orders", "args": {"order_id": 123}}, False),
        ({"name": "search_orders", "arguments": {"include_history": False}}, True),
        ({"name": "search_orders", "args": {"include_history": 0}}, False),
        ({"name": "search_orders", "args": {}}, True),
        ({"pattern": "*_inventory", "args": {"limit": 3.0}}, True),
        ({"name": "missing", "args": {}}, False),
        ({"name": "compose_reply", "args": {"citations": ["doc_1"]}}, False),
        ({"name": "compose_reply", "args": {"citations": ["doc_1", "doc_2"]}}, True),
        ({"name": "search_orders", "mode": "exact", "args": {"order_id": "123"}}, False),
        ({"name": "search_orders", "mode": "exact", "args": {"include_history": False, "order_id": "123"}}, True),
        (
            {"name": "search_orders", "mode": "exact", "args": {"order_id": "123"}, "defaults": {"include_history": False}},
            True,
        ),
        (
            {"name": "search_orders", "mode": "exact", "args": {"order_id": "123"}, "defaults": {"include_history": True}},
            False,
        ),
        ({"name": "search_orders", "mode": "exact", "args": {"order_id": "9"}, "ignore": ["*_id", "include_history"]}, True),
        ({"name": "search_orders", "mode": "exact", "args": {"order_id": "123"}, "ignore": "include_history"}, True),
        ({"name": "search_orders", "mode": "exact", "args": {"order_id": "123"}, "ignore": "include"}, False),
        ({"name": "search_orders", "args": {"order_id": "{{order}}"}}, True),
    ],
)
def test_tool_args_match(value: Any, passes: bool) -> None:
    assert verdict("tool-args-match", value, order="123").passed is passes
    sample = ScorerInput(Case("c", {"order": "123"}), "done", trajectory=STEPS)
    assert score_sample(sample, type="not-trajectory:tool-args-match", value=value).passed is not passes


def test_arguments_that_are_no_json_match_nothing() -> None:
    steps = (Step(TOOL, "t"),)

    assert verdict("tool-args-match", {"name": "t", "args": {}}, steps).passed is False
    assert verdict("tool-used", "t", steps).passed is True


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ({"max": 5}, True),
        ({"max": 4}, False),
        ({"min": 5, "max": 5}, True),
        ({"type": "tool", "max": 3}, True),
        ({"type": ["tool", "message"], "min": 4, "max": 4}, True),
        ({"pattern": "search*", "min": 3}, False),
        ({"type": "reasoning", "max": 0}, False),
    ],
)
def test_step_count(value: Any, passes: bool) -> None:
    assert (verdict("step-count", value).passed, inverted("step-count", value).passed) == (passes, not passes)


@pytest.mark.parametrize(
    ("type_name", "value", "message"),
    [
        ("tool-used", 123, "must be the name of a tool"),
        ("tool-used", "", "must be the name of a tool"),
        ("tool-used", [], "must be the name of a tool"),
        ("tool-used", [{"name": "t"}], "must be the name of a tool"),
        ("tool-used", {"min": 1}, "must have `name` or `pattern`"),
        ("tool-used", {"name": "t", "min": 3, "max": 1}, "`min` above its `max`"),
        ("tool-used", {"name": "t", "min": "1"}, "no number"),
        ("tool-used", {"name": "t", "type": "message"}, "its `type` is `tool`"),
        ("tool-used", {"name": "t", "often": 2}, "`often`"),
        ("tool-sequence", "t", "must be a list"),
        ("tool-sequence", [], "must be a list of at least one"),
        ("tool-sequence", {"mode": "any", "steps": ["t"]}, "neither `in_order` nor `exact`"),
        ("tool-sequence", [{"type": "tool"}], "must have `name` or `pattern`"),
        ("tool-args-match", "t", "must be an object"),
        ("tool-args-match", {"name": "t"}, "must have `args`"),
        ("tool-args-match", {"args": {}}, "must have `name` or `pattern`"),
        ("tool-args-match", {"name": "t", "args": {}, "mode": "some"}, "neither `partial` nor `exact`"),
        ("tool-args-match", {"name": "t", "args": {}, "defaults": []}, "`defaults` that are no object"),
        ("tool-args-match", {"name": "t", "args": {}, "ignore": [""]}, "`ignore`"),
        ("step-count", {}, "must have `min`, `max` or both"),
        ("step-count", {"type": "tool"}, "must have `min`, `max` or both"),
        ("step-count", {"type": "span", "max": 1}, "type 'span'"),
        ("step-count", 3, "must be an object"),
        ("goal-success", " ", "is required: the goal"),
        ("goal-success", {"goal": ""}, "is required: the goal"),
    ],
)
def test_a_value_that_could_only_fail_or_always_pass_is_refused_in_the_suite(type_name: str, value: Any, message: str) -> None:
    model = {"model": "echo:"} if type_name == "goal-success" else {}
    with pytest.raises(ValidationError) as raised:
        ScorerSpec.model_validate({"type": f"trajectory:{type_name}", "value": value, **model})

    assert [error.path for error in field_errors_from(raised.value)] == ["value"]
    assert message in field_errors_from(raised.value)[0].message


@pytest.mark.parametrize("type_name", ["tool-used", "not-tool-used"])
def test_calls_that_an_application_does_not_state_are_an_error_and_no_verdict(type_name: str) -> None:
    prefix, name = ("not-", "tool-used") if type_name.startswith("not-") else ("", type_name)
    spec = ScorerSpec.model_validate({"type": f"{prefix}trajectory:{name}", "value": "delete_all"})
    sample = ScorerInput(Case("c", {}), "done", trajectory=None)

    score = asyncio.run(run_scorer(build_scorer(spec, NO_MODELS), sample))

    assert score.passed is None
    assert "does not state its calls of tools" in str(score.error)
