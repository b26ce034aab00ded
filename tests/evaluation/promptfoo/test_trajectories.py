"""promptfoo's assertions on trajectories as scorers of a case."""

import pytest

from factories.promptfoo_files import Read
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.translation import UnsupportedParts

TRAJECTORY_ASSERTIONS = [
    {"type": "trajectory:tool-used", "value": "get_order"},
    {"type": "not-trajectory:tool-used", "value": ["refund", "delete_{{x}}"]},
    {"type": "trajectory:tool-sequence", "value": {"mode": "exact", "steps": ["get_order"]}},
    {"type": "trajectory:tool-args-match", "value": {"name": "get_order", "args": {"id": "7"}}},
    {"type": "trajectory:step-count", "value": {"type": "tool", "max": 2}},
]


def test_assertions_on_trajectories_are_carried_with_a_remark(read: Read) -> None:
    translation = read({"tests": [{"vars": {"x": "all"}, "assert": TRAJECTORY_ASSERTIONS}]})

    (case,) = translation.cases
    assert [spec["type"] for spec in case.asserts] == [assertion["type"] for assertion in TRAJECTORY_ASSERTIONS]
    assert case.asserts[1]["value"] == ["refund", "delete_all"]
    changed = translation.report.of(PartOutcome.CHANGED)
    assert any("not spans of a trace" in entry.why for entry in changed)


def test_a_step_type_that_only_traces_have_is_refused_by_name(read: Read) -> None:
    with pytest.raises(UnsupportedParts) as refused:
        read({"tests": [{"assert": [{"type": "trajectory:step-count", "value": {"type": "span", "max": 2}}]}]})

    reasons = [entry.why for entry in refused.value.report.of(PartOutcome.REFUSED) if entry.name == "trajectory:step-count"]
    assert ["type 'span'" in reason for reason in reasons] == [True]
