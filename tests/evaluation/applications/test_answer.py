"""The output of an answer: by JSONPath, whole, as text, from a stream; what has none is an error."""

from typing import Any

import pytest

from promptuary.evaluation.applications.answer import AnswerUnreadable, HttpAnswer, OutputReader, output_text
from promptuary.evaluation.applications.redaction import Redaction
from promptuary.evaluation.applications.spec import HttpSpec

JSON, EVENTS, LINES = "application/json", "text/event-stream", "application/x-ndjson"
ANSWER = '{"answer": "yes", "parts": [{"text": "a"}, {"text": "b"}], "none": null}'


def read(text: str, media_type: str = JSON, **spec: Any) -> Any:
    reader = OutputReader.of(HttpSpec.model_validate({"url": "https://app", **spec}))
    return reader.read(HttpAnswer(200, "OK", {"content-type": f"{media_type}; charset=utf-8"}, text))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("$.answer", "yes"),
        ("$.parts[0].text", "a"),
        ("$.parts[*].text", ["a", "b"]),
        ("$.none", None),
        ("text", ANSWER),
        (None, {"answer": "yes", "parts": [{"text": "a"}, {"text": "b"}], "none": None}),
    ],
)
def test_the_output_is_the_part_that_the_suite_names(output: str | None, expected: Any) -> None:
    assert read(ANSWER, output=output) == expected


def test_an_answer_that_is_no_json_is_its_text() -> None:
    assert read("plain: yes\n", "text/plain") == "plain: yes"


@pytest.mark.parametrize(
    ("text", "output", "expected"),
    [
        ('{"error": "x"}', "$.answer", r'there is nothing at \$.answer: {"error": "x"}'),
        ("oops", "$.answer", r"the answer is no JSON, and the output is to be at \$.answer: oops"),
        ("", None, "the answer has status 200 and no content"),
    ],
)
def test_an_answer_without_the_output_is_an_error_and_no_empty_text(text: str, output: str | None, expected: str) -> None:
    with pytest.raises(AnswerUnreadable, match=expected):
        read(text, output=output)


def test_a_stream_of_events_is_collected_to_its_end() -> None:
    stream = (
        'event: message\ndata: {"delta": "Hel"}\n\n: ping\n\ndata: {"delta": "lo"}\n\ndata: {"usage": 1}\n\ndata: [DONE]\n\n'
    )
    assert read(stream, EVENTS, output="$.delta") == "Hello"
    assert read("data: a\ndata: b\n\ndata: c", EVENTS) == "a\nbc"
    assert read('data: "Hel"\n\ndata: "lo"\n\n', EVENTS) == "Hello"


def test_json_lines_are_collected_and_the_last_value_that_is_no_text_counts() -> None:
    assert read('{"text": "a"}\n{"text": "b"}\n', LINES, output="$.text") == "ab"
    assert read('{"state": {"n": 1}}\n{"state": {"n": 2}}\n', LINES, output="$.state") == {"n": 2}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_json_line_ends_at_a_line_feed_alone(separator: str) -> None:
    assert read(f'{{"text": "a{separator}b"}}\r\n{{"text": "c"}}', LINES, output="$.text") == f"a{separator}bc"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [('event: error\ndata: {"message": "busy"}\n\n', "the stream has an error"), ("data: {}\n\n", "no part of the stream has")],
)
def test_a_stream_without_an_output_is_an_error(stream: str, expected: str) -> None:
    with pytest.raises(AnswerUnreadable, match=expected):
        read(stream, EVENTS, output="$.delta")


def test_promptfoos_empty_answers_are_what_promptfoo_makes_of_them() -> None:
    assert read("", semantics="promptfoo") == {"output": ""}
    assert read("null", semantics="promptfoo") == "null"
    assert read("[1, 2]", semantics="promptfoo") == [1, 2]


def test_an_output_that_is_no_text_is_json_without_spaces() -> None:
    assert [output_text(value) for value in ("a b", [1, 2.0], {"b": "ü", "a": None})] == ["a b", "[1,2]", '{"b":"ü","a":null}']


def test_secrets_are_removed_from_texts_and_values_also_as_json_writes_them() -> None:
    redaction = Redaction.of(['pa"ss', "sk-12345", "abc"])
    assert redaction.text('key sk-12345, "pa\\"ss", pa"ss, abc') == 'key ***, "***", ***, abc'
    assert redaction.value({"k": ["sk-12345", 1]}) == {"k": ["***", 1]}


@pytest.mark.parametrize("repeated", ["?key=a%2Fb%2Bc%3D%3D", r'"a\/b+c=="', "/a/b%2Bc%3D%3D"])
def test_secrets_are_removed_as_addresses_and_escaped_slashes_write_them(repeated: str) -> None:
    text = Redaction.of(["a/b+c=="]).text(repeated)
    assert "***" in text
    assert "c" not in text
