"""The pairing of cases by content: other questions under the same ids are not the same cases."""

from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.verdict.pairing import CaseIdentity, UnpairedReason, group_unpaired, pair_cases


def pairing(candidate: list[Case], baseline: list[Case]) -> Any:
    return pair_cases(map(CaseIdentity.of, candidate), map(CaseIdentity.of, baseline))


def case(name: str, text: Any = "x", expected: Any = "y", **more: Any) -> Case:
    return Case(name, {"text": text}, expected, **more)


def test_other_questions_under_the_same_ids_are_not_paired() -> None:
    result = pairing([case("1", "a"), case("2", "b")], [case("1", "c"), case("2", "d")])
    assert result.pairs == {}
    assert set(result.candidate.values()) == set(result.baseline.values()) == {UnpairedReason.OTHER_VARIABLES}


def test_the_same_content_is_paired_under_other_ids_and_in_any_order() -> None:
    result = pairing([case("1", "a"), case("2", "b")], [case("x", "b"), case("y", "a")])
    assert result.pairs == {"1": "y", "2": "x"}
    assert (result.candidate, result.baseline) == ({}, {})
    assert result.rekeyed({"x": 1.0, "y": 0.0}) == {"1": 0.0, "2": 1.0}


def test_swapped_ids_are_paired_by_content() -> None:
    assert pairing([case("1", "a"), case("2", "b")], [case("2", "a"), case("1", "b")]).pairs == {"1": "2", "2": "1"}


@pytest.mark.parametrize(
    "changed",
    [
        {"expected": "z"},
        {"expected": None},
        {"expected": "y", "asserts": ({"type": "is-json"},)},
        {"expected": "y", "threshold": 0.5},
    ],
)
def test_another_expectation_is_another_case(changed: dict[str, Any]) -> None:
    result = pairing([case("1")], [Case("1", {"text": "x"}, **changed)])
    assert (result.pairs, result.candidate) == ({}, {"1": UnpairedReason.OTHER_EXPECTATION})


@pytest.mark.parametrize("changed", [{"cluster": "k"}, {"tags": ("t",)}, {"metadata": {"source": "mail"}}])
def test_labels_of_a_case_do_not_change_what_is_asked(changed: dict[str, Any]) -> None:
    assert pairing([case("1")], [case("1", **changed)]).pairs == {"1": "1"}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), (1, 1.0, True), (1, True, False), (1, "1", False), ("é", "e\u0301", False)],
)
def test_variables_are_compared_as_json_values(first: Any, second: Any, same: bool) -> None:
    assert bool(pairing([case("1", first)], [case("2", second)]).pairs) is same


def test_copies_of_one_content_are_paired_by_id_and_then_in_order() -> None:
    result = pairing([case("1"), case("2"), case("3")], [case("3"), case("8"), case("9"), case("0")])
    assert result.pairs == {"1": "8", "2": "9", "3": "3"}
    assert result.baseline == {"0": UnpairedReason.FEWER_COPIES}


def test_unpaired_cases_are_grouped_by_reason_with_their_first_ids() -> None:
    result = pairing([case(str(number), number) for number in range(9)], [case("7", "other"), case("8", 8)])
    first, second = group_unpaired("run_1", result.candidate)
    assert (first.reason, first.cases, first.examples) == (UnpairedReason.OTHER_VARIABLES, 1, ("7",))
    assert (second.reason, second.cases, second.examples) == (UnpairedReason.ABSENT, 7, ("0", "1", "2", "3", "4"))


def test_a_case_without_a_result_in_one_run_is_not_paired() -> None:
    result = pairing([case("1", "a"), case("2", "b")], [case("1", "a"), case("2", "b")]).restricted({"1"}, {"1", "2"})
    assert (result.pairs, result.candidate, result.baseline) == ({"1": "1"}, {}, {"2": UnpairedReason.NO_RESULT})
