from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.evaluation.case import Case, case_from_json, case_to_json
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.prompt.validation_errors import field_errors_from

FULL = Case("c-1", {"ticket": "late"}, expected="card_arrival", cluster="h-1", tags=("chat",), metadata={"year": 2026})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_case_comes_back_as_it_was_stored() -> None:
    assert case_from_json(case_to_json(FULL)) == FULL
    assert case_from_json(case_to_json(Case("a", {}))) == Case("a", {})


def test_the_json_names_every_field() -> None:
    assert case_to_json(Case("a", {})) == {
        "id": "a",
        "vars": {},
        "expected": None,
        "cluster": None,
        "tags": [],
        "metadata": {},
    }


def test_the_digest_depends_on_content_and_order() -> None:
    other = Case("c-2", {})
    assert CaseSpool([FULL, other]).digest == CaseSpool((FULL, other)).digest
    assert len({CaseSpool(cases).digest for cases in ([FULL], [other], [FULL, other], [other, FULL])}) == 4
    assert CaseSpool([FULL]).digest.startswith("sha256:")


def test_a_received_case_needs_only_an_id_and_variables() -> None:
    assert CaseIn.model_validate({"id": "a", "vars": {"x": 1}}).case() == Case("a", {"x": 1})


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"vars": {}}, "id", "is required"),
        ({"id": "a"}, "vars", "is required"),
        ({"id": 1, "vars": {}}, "id", "must be a string"),
        ({"id": "", "vars": {}}, "id", "at least 1"),
        ({"id": "a\nb", "vars": {}}, "id", "pattern"),
        ({"id": "a", "vars": []}, "vars", "must be an object"),
        ({"id": "a", "vars": {}, "tags": "chat"}, "tags", "must be a list"),
        ({"id": "a", "vars": {}, "is_admin": True}, "is_admin", "is not a known field"),
        ({"id": "a", "vars": {"x": float("nan")}}, "vars.x", "not finite"),
        ({"id": "a", "vars": {"x": [2**53]}}, "vars.x", "beyond 2^53"),
        ({"id": "a", "vars": {}, "expected": {"x": "\x00"}}, "expected", "NUL"),
        ({"id": "a", "vars": {}, "expected": "\ud800"}, "expected", "surrogate"),
        ({"id": "a", "vars": {}, "cluster": ""}, "cluster", "at least 1"),
    ],
)
def test_what_is_wrong_in_a_case_is_named(body: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        CaseIn.model_validate(body)
    error = field_errors_from(raised.value)[0]
    assert error.path == path
    assert words in error.message


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValidationError, match="nested"):
        CaseIn.model_validate({"id": "a", "vars": {"x": deep}})


@given(st.dictionaries(st.text(), JSON, max_size=3), JSON)
def test_every_accepted_case_has_a_digest(variables: dict[str, Any], expected: Any) -> None:
    try:
        case = CaseIn.model_validate({"id": "a", "vars": variables, "expected": expected}).case()
    except ValidationError:
        return
    assert CaseSpool([case]).digest == CaseSpool([case_from_json(case_to_json(case))]).digest


CONVERSATION = {
    "id": "c",
    "turns": [{"user": "a", "assert": [{"type": "contains", "value": "x"}]}, {"vars": {"q": "b"}, "expected": 1}],
    "tool_results": {"t": [{"args": {"id": 1}, "result": [1]}, {"result": "x"}], "u": {"any": "value"}},
    "max_steps": 4,
}


def test_a_conversation_comes_back_as_it_was_stored() -> None:
    case = CaseIn.model_validate(CONVERSATION).case()

    assert case_from_json(case_to_json(case)) == case
    assert CaseIn.model_validate({**case_to_json(case)}).case() == case
    assert (len(case.turns), case.max_steps, case.vars) == (2, 4, {})


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"turns": []}, "turns", "must have at least one turn"),
        ({"turns": [{"user": "a"}, {}]}, "turns.1", "needs `user`"),
        ({"turns": [{"user": "a"}, {"assert": [{"type": "contains", "value": "x"}]}]}, "turns.1", "needs `user`"),
        ({"turns": [{"user": ""}]}, "turns.0.user", "at least 1 character"),
        ({"turns": [{"text": "a"}]}, "turns.0.text", "is not a known field"),
        ({"turns": [{"user": "a", "assert": [{"type": "unknown"}]}]}, "turns.0.assert.0", "not a known scorer"),
        (
            {"turns": [{"user": "a", "assert": [{"type": "select-best", "value": "x", "model": "echo:"}]}]},
            "turns.0",
            "in no turn",
        ),
        (
            {"turns": [{"user": "a", "assert": [{"type": "contains", "value": "x", "each_turn": True}]}]},
            "turns.0",
            "has a turn already",
        ),
        ({"tool_results": {"t": [1]}}, "tool_results", "must be an object of `result`"),
        ({"tool_results": {"t": []}}, "tool_results", "empty list"),
        ({"tool_results": {"t": [{"args": 1, "result": 2}]}}, "tool_results", "no object"),
        ({"tool_results": {"t": [{"result": 2, "more": 3}]}}, "tool_results", "must be an object of `result`"),
        ({"tool_results": {}, "max_steps": 3}, "max_steps", "goes with `tool_results`"),
        ({"max_steps": 0}, "max_steps", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_with_a_conversation_has_its_place(changes: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        CaseIn.model_validate(CONVERSATION | changes)

    errors = field_errors_from(raised.value)
    assert any(error.path.startswith(path) and message in error.message for error in errors), errors


def test_the_order_of_what_reaches_a_model_is_in_the_digest_of_a_conversation() -> None:
    def digest(turn: dict[str, Any]) -> str:
        return CaseSpool([CaseIn.model_validate({"id": "c", "turns": [turn]}).case()]).digest

    assert digest({"vars": {"q": {"a": 1, "b": 2}}}) != digest({"vars": {"q": {"b": 2, "a": 1}}})
    assert digest({"user": "a"}) != digest({"user": "b"})


def test_a_case_without_turns_has_the_json_that_it_had() -> None:
    assert not case_to_json(CaseIn.model_validate({"id": "c", "vars": {}}).case()).keys() & {
        "turns",
        "tool_results",
        "max_steps",
    }
