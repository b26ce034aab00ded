"""What a variable takes, held against the check that a render makes, for pairs of schemas and values near their edges."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories.variable_schemas import VALUES, variable_pairs
from promptuary.prompt.diff.variables import narrowings
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.variables import Variable, validate_values


def takes(variable: Variable, *value: Any) -> bool:
    try:
        validate_values({"x": variable}, {"x": value[0]} if value else {})
    except InvalidVariables:
        return False
    return True


@settings(max_examples=200)
@given(variable_pairs())
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


# --- what lists and objects are made of ---------------------------------------------------------------------------------

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
    *({"a": one, "b": two} for one in scalars for two in (0, "a")),
]
inside = [[], *objects, *([value] for value in scalars), [0, "a"], *([one] for one in objects), {"c": 1}]


@settings(max_examples=300)
@given(nested, nested)
def test_what_is_no_narrowing_inside_takes_every_list_and_object_that_was_taken(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    old, new = Variable.model_validate(before), Variable.model_validate(after)
    if not narrowings("x", old, new):
        assert [value for value in inside if takes(old, value) and not takes(new, value)] == []


ITEM: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}, "note": {"required": False}}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
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
def test_a_narrowing_inside_is_found_and_only_that(old: dict[str, Any], new: dict[str, Any], words: list[str]) -> None:
    found = narrowings("x", Variable.model_validate(old), Variable.model_validate(new))
    assert list(found) == words
    assert all(why.startswith("the variable 'x' takes fewer") for word, why in found.items() if word != "type")


def test_a_long_enum_is_compared_in_one_pass() -> None:
    old, new = Variable(enum=[*range(50_000)]), Variable(enum=[*range(49_999, -1, -1)])
    assert narrowings("x", old, new) == {}
