"""SQL outputs beyond the golden cases, and the rules that a suite sets for them."""

from typing import Any

import pytest

from factories.scorers import score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.scorers.spec import ScorerSpec


def score(output: str, value: Any = None) -> Score:
    return score_sample(ScorerInput(Case("c", {}), output), type="is-sql", value=value)


def test_deeply_nested_sql_fails_without_a_crash() -> None:
    assert score("SELECT " + "(" * 5000 + "1" + ")" * 5000).passed is False


def test_a_delete_without_from_is_checked_by_the_allowed_columns() -> None:
    result = score("DELETE b", {"databaseType": "MySQL", "allowedColumns": ["select::t::a"]})
    assert (result.passed, result.error) == (False, None)
    assert result.reason == "uses columns that are not allowed: delete::b::(.*)"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"databaseType": "Oracle"}, "does not know the databaseType 'Oracle'"),
        ({"tables": []}, "must be an object of databaseType"),
        ({"allowedTables": "users"}, "as lists of texts"),
        ({"allowedTables": ["("]}, "not one that RE2 takes"),
        ("MySQL", "must be an object of databaseType"),
    ],
)
def test_invalid_rules_for_sql_are_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScorerSpec.model_validate({"type": "is-sql", "value": value})


def test_sqlglots_warnings_about_an_output_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert score("CALL secret()").passed is True
    assert caplog.text == ""
