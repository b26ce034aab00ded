"""Narrowings of a variable, compared with the check of a render for pairs of schemas and values near their limits."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories.variable_schemas import VALUES, variable_pairs
from promptuary.prompt.diff.variables import narrowings
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.variables import Variable, validate_values


def accepts(variable: Variable, *value: Any) -> bool:
    try:
        validate_values({"x": variable}, {"x": value[0]} if value else {})
    except InvalidVariables:
        return False
    return True


@settings(max_examples=200)
@given(variable_pairs())
def test_a_narrowing_refuses_an_old_value_and_anything_else_refuses_none(
    pair: tuple[Variable, Variable],
) -> None:
    old, new = pair
    refused = [value for value in VALUES if accepts(old, value) and not accepts(new, value)]
    refused_without_value = accepts(old) and not accepts(new)
    reasons = narrowings("x", old, new)
    assert bool(reasons.keys() - {"required", "default"}) == bool(refused) or _only_empty_value(old, new)
    assert bool(reasons.keys() & {"required", "default"}) == refused_without_value
    if not reasons:
        assert refused == []


def _only_empty_value(old: Variable, new: Variable) -> bool:
    """Return whether the old variable may accept only the empty text or list, of which an enum is a doubtful narrowing."""
    return new.enum is not None and old.enum is None and ((old.type, old.maxLength) == ("string", 0) or old.type == "array")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({"type": "number"}, {"type": "integer"}, "was of type number and is of type integer"),
        ({}, {"type": "string"}, "was of any type and is of type string"),
        ({"enum": ["a", "b", 1]}, {"enum": ["a"]}, 'no longer accepts "b", 1'),
        ({"enum": list("abcdefgh")}, {"enum": ["a"]}, 'no longer accepts "b", "c", "d", "e", "f" and 2 more'),
        ({"enum": [1]}, {"enum": [True]}, "no longer accepts 1"),
        ({"type": "string"}, {"type": "string", "enum": ["a"]}, "accepts only the values of its enum now"),
        ({"maxLength": 4000}, {"maxLength": 200}, "has maxLength 200 now and had 4000"),
        ({"minItems": 1}, {"minItems": 2}, "has minItems 2 now and had 1"),
        ({}, {"minimum": 0.5}, "has minimum 0.5 now and had none"),
        ({"required": False}, {}, "was optional and must be given now"),
        ({"default": "a"}, {}, "has lost its default and must be given now"),
        ({"default": "a", "required": False}, {}, "was optional and must be given now"),
    ],
)
def test_a_narrowing_has_a_message(old: dict[str, Any], new: dict[str, Any], reason: str) -> None:
    assert list(narrowings("x", Variable(**old), Variable(**new)).values()) == [f"the variable 'x' {reason}"]


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
def test_a_variable_that_accepts_as_much_or_more_is_no_narrowing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert narrowings("x", Variable(**old), Variable(**new)) == {}


# --- items of lists and properties of objects ---------------------------------------------------------------------------------

leaves = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["string", "integer", "number"]), "enum": st.sampled_from([["a"], [0, 1], ["a", 1]])}
)
bounded = st.fixed_dictionaries({}, optional={"maxLength": st.integers(0, 2), "minimum": st.integers(0, 1)})
members = st.dictionaries(
    st.sampled_from("ab"),
    st.tuples(leaves, bounded, st.booleans()).map(lambda drawn: {**drawn[0], **drawn[1], "required": drawn[2]}),
)
nested = st.one_of(
    st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, leaves, st.sampled_from([None, 0, 1])),
    st.builds(lambda properties: {"type": "object", "properties": properties}, members),
    st.builds(lambda properties: {"type": "array", "items": {"type": "object", "properties": properties}}, members),
    st.sampled_from([{"type": "array"}, {"type": "object"}, {}]),
)
scalars = ["", "a", "aa", "aaa", -1, 0, 1, 1.5, True, None]
objects = [
    {},
    *({name: value} for name in "ab" for value in scalars),
    *({"a": first, "b": second} for first in scalars for second in (0, "a")),
]
inside = [[], *objects, *([value] for value in scalars), [0, "a"], *([value] for value in objects), {"c": 1}]


@settings(max_examples=300)
@given(nested, nested)
def test_without_a_narrowing_every_old_list_and_object_is_accepted(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = Variable.model_validate(before), Variable.model_validate(after)
    if not narrowings("x", old, new):
        assert [value for value in inside if accepts(old, value) and not accepts(new, value)] == []


ITEM: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}, "note": {"required": False}}}


@pytest.mark.parametrize(
    ("old", "new", "keywords"),
    [
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}, ["items"]),
        ({"type": "array", "items": {"type": "number"}}, {"type": "array", "items": {"type": "integer"}}, ["items"]),
        ({"type": "array", "items": {"type": "integer"}}, {"type": "array", "items": {"type": "number"}}, []),
        ({"type": "array", "items": ITEM}, {"type": "array"}, []),
        ({"type": "array", "maxItems": 0}, {"type": "array", "items": {"type": "string"}}, []),
        ({"type": "object"}, ITEM, ["properties"]),
        (ITEM, {"type": "object"}, []),
        (ITEM, {"type": "object", "properties": {"id": {"type": "string"}}}, ["properties"]),
        (ITEM, {"type": "object", "properties": {**ITEM["properties"], "more": {}}}, ["properties"]),
        (ITEM, {"type": "object", "properties": {**ITEM["properties"], "more": {"required": False}}}, []),
        (ITEM, {"type": "object", "properties": {**ITEM["properties"], "note": {}}}, ["properties"]),
        (ITEM, {"type": "object", "properties": {**ITEM["properties"], "id": {"type": "string", "required": False}}}, []),
        (
            ITEM,
            {"type": "object", "properties": {**ITEM["properties"], "id": {"type": "string", "minLength": 1}}},
            ["properties"],
        ),
        ({"enum": [[1], {"a": 1}]}, {"type": "array", "items": {"type": "integer"}}, ["type"]),
        ({"type": "array", "enum": [[1], [2]]}, {"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "enum": [[1], ["a"]]}, {"type": "array", "items": {"type": "integer"}}, ["items"]),
        ({"type": "object", "enum": [{"a": 1}]}, {"type": "object", "properties": {"a": {}}}, []),
        ({"type": "object", "enum": [{"b": 1}]}, {"type": "object", "properties": {"a": {}}}, ["properties"]),
    ],
)
def test_a_narrowing_inside_a_list_or_an_object_is_detected(
    old: dict[str, Any], new: dict[str, Any], keywords: list[str]
) -> None:
    reasons = narrowings("x", Variable.model_validate(old), Variable.model_validate(new))
    assert list(reasons) == keywords
    assert all(reason.startswith("the variable 'x' accepts fewer") for keyword, reason in reasons.items() if keyword != "type")


def test_a_long_enum_is_compared_in_one_pass() -> None:
    old, new = Variable(enum=[*range(50_000)]), Variable(enum=[*range(49_999, -1, -1)])
    assert narrowings("x", old, new) == {}
