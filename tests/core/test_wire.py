import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.core.errors import InvalidRequest, MalformedBody
from promptuary.core.wire import DEPTH_LIMIT, RequestModel, ResponseModel, parse_strict_json


def test_plain_json_is_read_as_it_stands() -> None:
    assert parse_strict_json('{"a": [1, 2.5, true, null, "é 🙂 \\ud83d\\ude42"]}'.encode()) == {
        "a": [1, 2.5, True, None, "é 🙂 🙂"]
    }
    assert parse_strict_json(b"9223372036854775807") == 2**63 - 1
    assert parse_strict_json(b"-9223372036854775808") == -(2**63)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": 1', "the body is not JSON: Expecting ',' delimiter (line 1, column 8)"),
        (b'{"a": 1}\n{"b": 2}', "the body is not JSON: Extra data (line 2, column 1)"),
        (b"{'a': 1}", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        (b'{"a": "\xff"}', "the body is not UTF-8: byte 7"),
        ('{"a": 1}'.encode("utf-16"), "the body is not UTF-8: byte 0"),
        ('{"a": 1}'.encode("utf-16-le"), "the body is not JSON: "),
        (b'\xef\xbb\xbf{"a": 1}', "the body begins with a byte order mark; send UTF-8 without one"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the body has the key 'c' twice in one object"),
        (b'{"a": 1, "\\u0061": 2}', "the body has the key 'a' twice in one object"),
        (b'{"a": NaN}', "the body has NaN, which is not a JSON number"),
        (b'{"a": -Infinity}', "the body has -Infinity, which is not a JSON number"),
        (b"[" * 100_000, f"the body is nested more than {DEPTH_LIMIT} deep"),
        (b'{"a":' * 100_000, f"the body is nested more than {DEPTH_LIMIT} deep"),
        (b"[" * 66 + b"]" * 66, f"the body is nested more than {DEPTH_LIMIT} deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the body has an integer of too many digits"),
        (b'{"a": "x\n"}', "the body is not JSON: Invalid control character at (line 1, column 9)"),
        (b"", "the body is not JSON: Expecting value (line 1, column 1)"),
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(MalformedBody) as raised:
        parse_strict_json(body)
    assert raised.value.message.startswith(words)


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (b'{"a": {"b": ["x", "\\u0000"]}}', "a.b.1", "has a NUL character"),
        (b'{"a\\u0000b": 1}', "(key)", "has a NUL character"),
        (b'{"a": "\\ud800"}', "a", "has a lone surrogate, which is not a Unicode character"),
        (b'{"a": "\\udc00\\ud800"}', "a", "has a lone surrogate, which is not a Unicode character"),
        (b'{"a": {"\\ud800": 1}}', "a", "has a lone surrogate, which is not a Unicode character"),
        (b'{"a": 9223372036854775808}', "a", "is an integer beyond 64 bits"),
        (b'{"a": -9223372036854775809}', "a", "is an integer beyond 64 bits"),
        (b'{"a": [1e-400]}', "a.0", "is a number too small for a double; write 0"),
        (b'{"a": 1e999}', "a", "is a number beyond the range of a double"),
    ],
)
def test_a_value_that_could_not_be_kept_is_named_with_its_path(body: bytes, path: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_strict_json(body)
    assert [(error.path, error.message) for error in raised.value.field_errors] == [(path, words)]


def test_nesting_up_to_the_limit_is_taken() -> None:
    assert parse_strict_json(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT)


@given(
    st.binary(max_size=40)
    | st.text(alphabet='{}[]",:0123.eE-\\u tn\ud800', max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_refused_in_our_words(body: bytes) -> None:
    try:
        parse_strict_json(body)
    except (MalformedBody, InvalidRequest):
        pass


class Example(RequestModel):
    number: int = 0
    flag: bool = False
    text: str = ""


@pytest.mark.parametrize(
    "body", [{"number": "1"}, {"number": True}, {"number": 1.0}, {"flag": 1}, {"text": 1}, {"is_admin": True}]
)
def test_what_is_received_is_never_changed_into_another_type(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate(body)


def test_what_is_sent_is_made_from_the_attributes_of_a_value() -> None:
    class Out(ResponseModel):
        name: str

    class Value:
        name = "x"
        hash = "secret"

    assert Out.model_validate(Value()).model_dump() == {"name": "x"}


def test_minus_zero_keeps_its_minus() -> None:
    assert json.dumps(parse_strict_json(b"[-0, -0.0, 0, -1]")) == "[-0.0, -0.0, 0, -1]"
