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
