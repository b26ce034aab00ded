"""The work of a plan: every case under every variant in every repeat, once, in the file's order."""

import json
from collections.abc import Callable
from typing import Any

from promptuary.evaluation.execution.work import work_items
from promptuary.evaluation.plan import plan_from_json, plan_to_json

Make = Callable[..., Any]


def test_work_goes_case_by_case_then_variant_then_repeat(plan_of: Make, cases_of: Make) -> None:
    plan = plan_of(2, baseline="production", repeats=2)

    items = list(work_items(plan, cases_of("a", "b")))

    assert [(item.ordinal, item.case.id, item.variant.name, item.repeat) for item in items] == [
        (0, "c1", "v2", 0),
        (1, "c1", "v2", 1),
        (2, "c1", "v1", 0),
        (3, "c1", "v1", 1),
        (4, "c2", "v2", 0),
        (5, "c2", "v2", 1),
        (6, "c2", "v1", 0),
        (7, "c2", "v1", 1),
    ]
    assert plan.total == len(items)


def test_what_is_done_is_not_done_again(plan_of: Make, cases_of: Make) -> None:
    left = work_items(plan_of(3), cases_of("a", "b", "c"), frozenset({0, 2}))

    assert [item.ordinal for item in left] == [1]


def test_a_plan_comes_back_from_json_as_it_was(plan_of: Make) -> None:
    plan = plan_of(3, baseline="production", missing=("staging",))

    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_result_without_a_verdict_is_unrunnable(result_of: Make) -> None:
    assert result_of("c1", None).unrunnable
    assert result_of("c1", 1.0, passed=None).unrunnable
    assert not result_of("c1", 0.0).unrunnable
