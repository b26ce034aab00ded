"""Errors of validation: one for each field, in plain words."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from promptuary.prompt.validation_errors import field_errors_from


class Fields(BaseModel):
    """A model whose fields have values of several types, and names that are those of types."""

    model_config = ConfigDict(strict=True)

    scalar: str | bool | int | float = 1
    items: list[str | int] = []
    counts: dict[str, int] = {}


def errors_of(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as error:
        Fields.model_validate(fields)
    return [(each.path, each.message) for each in field_errors_from(error.value)]


def test_a_value_of_several_types_has_one_error_at_its_field() -> None:
    assert errors_of(scalar=[1]) == [("scalar", "must be a string or true or false or an integer or a number")]
    assert errors_of(items=["a", [], 1.5]) == [
        ("items.1", "must be a string or an integer"),
        ("items.2", "must be a string or an integer"),
    ]


def test_names_that_are_those_of_types_stay_in_the_path() -> None:
    wrong = {"int": "a", "float": "a", "bool": "a"}
    assert errors_of(counts=wrong) == [(f"counts.{name}", "must be an integer") for name in wrong]
    assert errors_of(counts={"str": "a"}) == [("counts.str", "must be an integer")]
