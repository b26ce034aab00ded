import pytest

from promptuary.review.queues.judge_mapping import JudgeMapping


@pytest.mark.parametrize(
    ("value", "label"), [("approve", 1.0), ("reject", 0.0), ("unsure", None), ("saved", None), ([], None), (None, None)]
)
def test_decisions_are_passes_fails_or_no_label(value: object, label: float | None) -> None:
    mapping = JudgeMapping("rubric", ("approve",))
    assert mapping.label_of_value(value) == label


def test_with_fails_named_all_other_values_are_no_label() -> None:
    mapping = JudgeMapping("rubric", (4, 5), (1, 2), "grade")
    assert [mapping.label_of("saved", {"grade": grade}) for grade in (5, 3, 1)] == [1.0, None, 0.0]
    assert mapping.label_of("saved", None) is None
    assert JudgeMapping.from_source({"judge": mapping.to_json(), "fills": []}) == mapping
    assert JudgeMapping.from_source({"run": "run_1"}) is None
