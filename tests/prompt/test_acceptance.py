"""What a variable takes, held against the check that a render really makes, for pairs of schemas and values near their edges."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.prompt.acceptance import narrowings
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.variable import Variable, checked

VALUES: list[Any] = [
    *(None, True, False, -9, -1, 0, 1, 2, 3, 4, 9, 0.0, 1.0, 2.0, -9.5, -1.5, 0.25, 0.5, 1.25, 1.5, 2.5, 9.5),
    *("", "a", "b", "aa", "é\n", "aaa", "aaaa", "a" * 9, "true", "1"),
    *([], [1], [True], [0, 1], [0, 0, 0], [None] * 4, [0] * 9, {}, {"a": 1}, {"a": True}, {"a": [0.5]}),
]
"""Enough values that two schemas of small bounds which differ, differ on one of them."""
BOUND = st.none() | st.sampled_from([-1, 0, 0.25, 0.5, 1, 1.0, 1.5, 2, 3])
LENGTH = st.none() | st.integers(0, 4)


@st.composite
def variables(draw: st.DrawFn) -> Variable:
    said = {
        "type": draw(st.sampled_from([None, "string", "integer", "number", "boolean", "array", "object"])),
        "enum": draw(st.none() | st.lists(st.sampled_from(VALUES), min_size=1, max_size=4)),
        "required": draw(st.booleans()),
        "default": draw(st.none() | st.sampled_from(VALUES)),
        **{word: draw(LENGTH) for word in ("minLength", "maxLength", "minItems", "maxItems")},
        **{word: draw(BOUND) for word in ("minimum", "maximum")},
    }
    try:
        return Variable(**said)
    except ValidationError:
        return Variable(**said | {"default": None})


def changed(old: Variable, **words: Any) -> Variable:
    return Variable.model_validate({**old.model_dump(), **words})


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Variable, Variable]:
    """Two variables: unlike each other, or the second one a little different from the first, as versions are."""
    old, other = draw(variables()), draw(variables())
    words = draw(st.sets(st.sampled_from(sorted(Variable.model_fields)), max_size=2) | st.none())
    if words is None:
        return old, other
    said = {word: getattr(other, word) for word in words}
    try:
        return old, changed(old, **said)
    except ValidationError:
        return old, changed(old, **{**said, "default": None})


def takes(variable: Variable, *value: Any) -> bool:
    try:
        checked({"x": variable}, {"x": value[0]} if value else {})
    except InvalidVariables:
        return False
    return True


@settings(max_examples=400)
@given(pairs())
def test_what_is_no_narrowing_takes_every_value_that_was_taken_and_a_narrowing_refuses_one(
    pair: tuple[Variable, Variable],
) -> None:
    old, new = pair
    refused = [value for value in VALUES if takes(old, value) and not takes(new, value)]
    unsaid = takes(old) and not takes(new)
    found = narrowings("x", old, new)
    assert bool(found.keys() - {"required", "default"}) == bool(refused) or _too_few_to_tell(old, new)
    assert bool(found.keys() & {"required", "default"}) == unsaid
    if not found:
        assert refused == []


def _too_few_to_tell(old: Variable, new: Variable) -> bool:
    """Whether the only text or list that the old variable takes is the empty one: an enum that has it is in doubt."""
    return new.enum is not None and old.enum is None and ((old.type, old.maxLength) == ("string", 0) or old.type == "array")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({"type": "number"}, {"type": "integer"}, "was of type number and is of type integer"),
        ({}, {"type": "string"}, "was of any type and is of type string"),
        ({"enum": ["a", "b", 1]}, {"enum": ["a"]}, 'no longer takes "b", 1'),
        ({"enum": list("abcdefgh")}, {"enum": ["a"]}, 'no longer takes "b", "c", "d", "e", "f" and 2 more'),
        ({"enum": [1]}, {"enum": [True]}, "no longer takes 1"),
        ({"type": "string"}, {"type": "string", "enum": ["a"]}, "takes only the values of its enum now"),
        ({"maxLength": 4000}, {"maxLength": 200}, "has maxLength 200 now, and had 4000"),
        ({"minItems": 1}, {"minItems": 2}, "has minItems 2 now, and had 1"),
        ({}, {"minimum": 0.5}, "has minimum 0.5 now, and had none"),
        ({"required": False}, {}, "was optional and must be given now"),
        ({"default": "a"}, {}, "has lost its default and must be given now"),
        ({"default": "a", "required": False}, {}, "was optional and must be given now"),
    ],
)
def test_a_narrowing_is_told_in_words(old: dict[str, Any], new: dict[str, Any], why: str) -> None:
    assert list(narrowings("x", Variable(**old), Variable(**new)).values()) == [f"the variable 'x' {why}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "string", "maxLength": 10}, {"type": "string", "maxLength": 20}),
        ({"type": "string", "maxLength": 10}, {}),
        ({"type": "boolean"}, {"enum": [False, True]}),
        ({"type": "integer", "minimum": 1, "maximum": 3}, {"enum": [3, 2, 1, 0]}),
        ({"type": "integer", "minimum": 0.5}, {"type": "integer", "minimum": 1}),
        ({"enum": ["a", "b"]}, {"type": "string", "maxLength": 1}),
        ({"enum": ["a", 1], "type": "string"}, {"enum": ["a"]}),
        ({"type": "string"}, {"type": "string", "minimum": 5, "minItems": 3}),
        ({}, {"required": False, "default": "b", "description": "other", "sensitive": True}),
        ({"default": "a"}, {"default": "b"}),
        ({"default": "a"}, {"required": False}),
    ],
)
def test_what_takes_as_much_or_more_is_no_narrowing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert narrowings("x", Variable(**old), Variable(**new)) == {}


def test_a_long_enum_is_compared_in_one_pass() -> None:
    old, new = Variable(enum=[*range(50_000)]), Variable(enum=[*range(49_999, -1, -1)])
    assert narrowings("x", old, new) == {}
