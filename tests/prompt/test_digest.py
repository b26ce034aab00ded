import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.content import Content
from promptuary.prompt.digest import (
    content_digest,
    content_from_json,
    content_json,
    json_digest,
    noncanonical_parts,
)

TRIAGE: dict[str, Any] = {
    "type": "chat",
    "format": "mustache",
    "template": [
        {"role": "system", "content": "You sort tickets into: {{intents}}."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ticket}} – déjà vu 🙂"},
    ],
    "variables": {
        "ticket": {"type": "string", "maxLength": 4000, "description": "the customer's words"},
        "intents": {"type": "string"},
        "history": {"type": "array", "required": False},
    },
    "model": {"name": "local:smollm2", "temperature": 0, "max_tokens": 16},
}


@pytest.mark.parametrize(
    ("body", "pinned"),
    [
        (
            {"type": "text", "template": "Hello, {{name}}!"},
            "sha256:93ef790036ab07832f9c9272131c49743fb150b173c9b29c4ef68790d0bfabc3",
        ),
        (
            {"type": "text", "template": "Hello, {name}!", "format": "f-string"},
            "sha256:f282032d9d7fcec9764e93d145cee32ebc3685002466d4b703c3ea68fe83354e",
        ),
        (TRIAGE, "sha256:bb568d6b4d56375cb1c8f5e3b4a99bfe445c66de346d4478c05b524ebdf28a8b"),
    ],
)
def test_a_digest_is_the_same_in_every_release(body: dict[str, Any], pinned: str) -> None:
    """A change here would make every stored version another one: it needs a new major version."""
    assert content_digest(Content.model_validate(body)) == pinned


def test_the_stored_json_has_all_parts_and_no_field_that_was_not_set() -> None:
    assert content_json(Content(type="text", template="x")) == {
        "type": "text",
        "template": "x",
        "format": "mustache",
        "variables": {},
        "model": None,
        "response_format": None,
        "tools": None,
        "partials": {},
        "context": None,
        "config": None,
    }


def test_content_read_back_from_its_json_is_the_same() -> None:
    content = Content.model_validate(TRIAGE)
    again = content_from_json(json.loads(canonical_json(content_json(content))))
    assert again == content
    assert content_digest(again) == content_digest(content)


@pytest.mark.parametrize(
    "other",
    [
        {"template": [*TRIAGE["template"][:2], {"role": "user", "content": "{{ticket}} – déjà vu 🙂 "}]},
        {"format": "f-string"},
        {"model": {"name": "local:smollm2", "temperature": 0.5, "max_tokens": 16}},
        {"model": None},
        {"response_format": {"type": "object"}},
        {"tools": []},
        {"partials": {"a": ""}},
        {"variables": {**TRIAGE["variables"], "ticket": {"type": "string"}}},
        {"context": {"collection": "tickets", "query": "{{ticket}}", "into": "history"}},
        {"config": {}},
        {"config": {"a": None}},
    ],
)
def test_a_change_in_any_part_changes_the_digest(other: dict[str, Any]) -> None:
    assert content_digest(content_from_json({**TRIAGE, **other})) != content_digest(Content.model_validate(TRIAGE))


def test_a_temperature_of_0_and_one_of_0_0_are_the_same() -> None:
    whole, broken = (
        content_digest(Content.model_validate({**TRIAGE, "model": {"name": "m", "temperature": value}})) for value in (0, 0.0)
    )
    assert whole == broken


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(json_values, st.randoms(use_true_random=False))
def test_neither_the_order_of_keys_nor_a_json_round_trip_changes_the_form(value: Any, chance: random.Random) -> None:
    assert json_digest(shuffled(value, chance)) == json_digest(value) == json_digest(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 8785, appendix B: ECMAScript's form of a number
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (333333333.3333334, "333333333.3333334"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
        # RFC 8785, section 3.2.3: keys in the order of their UTF-16 units
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
        (
            {"literals": [None, True, False], "text": '€$\x0f\nA\'B"\\\\"/'},
            '{"literals":[null,true,false],"text":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
        ),
    ],
)
def test_canonical_json_is_that_of_rfc_8785(value: Any, text: str) -> None:
    assert canonical_json(value) == text.encode()


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**62, 1e16, -9e20, float("nan"), float("inf")])
def test_a_number_without_one_form_is_named_with_its_part(number: float) -> None:
    content = Content(type="text", template="{{a}}", variables={"a": {"enum": [number]}}, tools=[{}])
    assert [error.path for error in noncanonical_parts(content)] == ["variables"]


@pytest.mark.parametrize("number", [2**63, -(2**63), float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["response_format", "config"])
def test_a_number_that_no_reader_keeps_is_named_with_its_ordered_part(part: str, number: float) -> None:
    content = Content.model_validate({"type": "text", "template": "x", part: {"a": [number]}, "tools": [{}]})
    assert [error.path for error in noncanonical_parts(content)] == [part]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**53), 1e16, 1e300, 1e21])
def test_an_ordered_part_takes_the_numbers_of_64_bits(number: float) -> None:
    variables = {"a": {"default": {"b": number}}}
    content = Content.model_validate({"type": "text", "template": "{{a}}", "config": [number], "variables": variables})
    assert noncanonical_parts(content) == []


# --- parts whose order reaches a model -----------------------------------------------------------------------------------

FORWARD, BACKWARD = {"a": {"c": 1, "d": 2}, "b": 1}, {"b": 1, "a": {"d": 2, "c": 1}}
ORDERED: list[Callable[[Any], dict[str, Any]]] = [
    lambda value: {"response_format": value},
    lambda value: {"tools": [value]},
    lambda value: {"config": value},
    lambda value: {"config": [[value]]},
    lambda value: {"variables": {"a": {"default": value}}},
    lambda value: {"variables": {"a": {"default": [value]}}},
]
UNORDERED: list[Callable[[Any], dict[str, Any]]] = [
    lambda value: {"variables": {"a": {"enum": [value, {"z": 1}]}}},
    lambda value: {"variables": {"a": {"properties": {name: {} for name in value}, "type": "object"}}},
    lambda value: {"partials": dict.fromkeys(value, "")},
]


def digest_of(**parts: Any) -> str:
    return content_digest(Content.model_validate({"type": "text", "template": "{{a}}", **parts}))


@pytest.mark.parametrize("part", ORDERED)
def test_another_order_of_what_reaches_a_model_is_another_digest(part: Callable[[Any], dict[str, Any]]) -> None:
    assert digest_of(**part(FORWARD)) != digest_of(**part(BACKWARD))
    assert digest_of(**part({"a": 1.0})) != digest_of(**part({"a": 1}))


@pytest.mark.parametrize("part", UNORDERED)
def test_the_order_of_what_reaches_no_model_is_not_digested(part: Callable[[Any], dict[str, Any]]) -> None:
    assert digest_of(**part(FORWARD)) == digest_of(**part(BACKWARD))


@pytest.mark.parametrize("part", [*ORDERED[:2], *ORDERED[4:]])
def test_parts_in_canonical_order_have_the_digest_of_0_3_0(part: Callable[[Any], dict[str, Any]]) -> None:
    content = Content.model_validate({"type": "text", "template": "{{a}}", **part({**FORWARD, "e": [1.5, "é", None]})})
    nine_parts = {name: value for name, value in content_json(content).items() if name != "config"}
    assert content_digest(content) == "sha256:" + hashlib.sha256(rfc8785.dumps(nine_parts)).hexdigest()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"b": 1, "a": [1.0, -0.0, 0, 1e16, 1e21, 1.5e-7, 2**63 - 1]},
            '{"b":1,"a":[1.0,-0.0,0,10000000000000000.0,1e+21,1.5e-7,9223372036854775807]}',
        ),
        ({"\u20ac": {}, "\r": []}, '{"\u20ac":{},"\\r":[]}'),
    ],
)
def test_an_ordered_value_keeps_its_order_and_its_numbers(value: Any, text: str) -> None:
    assert canonical_json(InOrder(value)) == text.encode()
    assert canonical_json({"z": InOrder(value), "b": {"y": 1, "x": 2.0}}) == f'{{"b":{{"x":2,"y":1}},"z":{text}}}'.encode()


@given(json_values)
def test_the_canonical_form_is_that_of_the_library(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(json_values)
def test_an_ordered_form_is_read_back_in_its_order(value: Any) -> None:
    assert repr(json.loads(canonical_json(InOrder(value)))) == repr(value)
