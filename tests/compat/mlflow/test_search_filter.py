import pytest

from promptuary.compat.mlflow.search_filter import Filter, parse_filter
from promptuary.core.errors import InvalidRequest

TAGS = {"team": "support", "mlflow.prompt.is_prompt": "true"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("  ", True),
        ("name = 'support.triage'", True),
        ('NAME="support.triage"', True),
        ("name = 'support'", False),
        ("name != 'support'", True),
        ("name != 'support.triage'", False),
        ("name LIKE 'support%'", True),
        ("name like '%triage'", True),
        ("name LIKE '%.%'", True),
        ("name LIKE '%port.t%age'", True),
        ("name LIKE 'support'", False),
        ("name LIKE 'support_triage'", True),
        ("name LIKE 'support__triage'", False),
        ("name LIKE '%'", True),
        ("name LIKE '%triage%%'", True),
        ("name LIKE 'support%support.triage'", False),
        ("name LIKE 'supp.rt%'", False),
        ("name LIKE 'SUPPORT%'", False),
        ("name ILIKE 'SUPPORT%'", True),
        ("tags.team = 'support'", True),
        ("tag.team = 'sales'", False),
        ("tags.team LIKE 'supp%'", True),
        ("tags.unknown = ''", False),
        ("tags.unknown != 'x'", False),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", True),
        ("tags.mlflow.prompt.is_prompt = 'true'", True),
        ("tags.`mlflow.prompt.is_prompt` = 'true' AND name LIKE 'support%' and tags.team='support'", True),
        ("tags.`mlflow.prompt.is_prompt` = 'true' AND name LIKE 'x%'", False),
        ("tags.team = 'a AND b'", False),
    ],
)
def test_a_filter_holds_as_mlflow_says(text: str, holds: bool) -> None:
    assert parse_filter(text).matches("support.triage", TAGS) is holds


@pytest.mark.parametrize(
    ("text", "name"), [("name = 'a' AND tags.b = 'c'", "a"), ("name LIKE 'a'", None), ("tags.name='a'", None)]
)
def test_a_filter_knows_the_one_name_that_it_is_of(text: str, name: str | None) -> None:
    assert parse_filter(text).name == name
    assert isinstance(parse_filter(text), Filter)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("run_id = 'x'", "run_id = 'x'"),
        ("name = 'a' OR name = 'b'", "name = 'a' OR name = 'b'"),
        ("name = 'a' AND", ""),
        ("name = 'a' AND   ", ""),
        ("name = 'a' AND x > 3", "x > 3"),
        ("name = a", "name = a"),
        ("name > 'a'", "name > 'a'"),
        ("name = 'a", "name = 'a"),
        ("name LIKEx 'a'", "name LIKEx 'a'"),
        ("AND name = 'a'", "AND name = 'a'"),
        ("name = 'a' ANDname = 'b'", "name = 'a' ANDname = 'b'"),
    ],
)
def test_what_a_filter_cannot_say_is_refused_from_there_on(text: str, rest: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_filter(text)
    (error,) = refused.value.field_errors
    assert error.path == "filter"
    assert error.message.startswith(f"'{rest}' is not supported: compare name or tags.<key>")


def test_no_value_makes_a_comparison_slow() -> None:
    hard = parse_filter("name LIKE '" + "a%" * 300 + "b'")
    assert hard.matches("a" * 5000, {}) is False
