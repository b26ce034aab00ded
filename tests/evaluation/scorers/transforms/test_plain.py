"""Transforms without code."""

from typing import Any

import pytest

from promptuary.evaluation.scorers.transforms.plain import JsonPart, PatternPart, strip_fences, strip_reasoning
from promptuary.prompt.errors import Invalid


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n ```\n{"a": 1}\n ``` \n', '{"a": 1}'),
        ("Here:\n```python\nx = 1\n```\nDone.", "Here:\nx = 1\nDone."),
        ("~~~\nx\n~~~", "x"),
        ("no fence, but `code` and ```this```", "no fence, but `code` and ```this```"),
        ("", ""),
    ],
)
def test_the_lines_of_fences_are_removed(text: str, stripped: str) -> None:
    assert strip_fences(text) == stripped


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("<think>hm</think>\nFine", "Fine"),
        ("hm\n</think>\nFine", "Fine"),
        ("hm</think>Fine", "hm</think>Fine"),
        ("<thinking>a</thinking> Fine <think>b\nc</think>", "Fine"),
        ("<think>never ends", ""),
        ("Fine", "Fine"),
    ],
)
def test_reasoning_in_tags_is_removed(text: str, stripped: str) -> None:
    assert strip_reasoning(text) == stripped


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ("$.a", '{"a": {"b": 1}}', {"b": 1}),
        ("$.a.b", {"a": {"b": 0}}, 0),
        ("$.items[*].n", '{"items": [{"n": 1}, {"n": 2}]}', [1, 2]),
        ("$[0]", "[false]", False),
    ],
)
def test_json_is_the_part_at_a_path(path: str, value: Any, part: Any) -> None:
    assert JsonPart.parse(path).apply(value) == part


@pytest.mark.parametrize(("value", "words"), [("{", "no JSON"), ('{"b": 1}', "nothing at"), ("[" * 100_000, "JSON")])
def test_json_without_the_part_is_an_error(value: str, words: str) -> None:
    with pytest.raises((LookupError, ValueError), match=words):
        JsonPart.parse("$.a").apply(value)


def test_a_pattern_finds_its_first_group_or_all_of_it() -> None:
    assert PatternPart.parse(r"answer:\s*(\w+)").apply("The answer: yes, the answer: no") == "yes"
    assert PatternPart.parse("[0-9]+").apply("a 42 b 7") == "42"
    assert PatternPart.parse("(a)|(b)").apply("b") == "b"
    with pytest.raises(LookupError, match="nothing in the output"):
        PatternPart.parse("x").apply("y")


@pytest.mark.parametrize("pattern", ["(", "(?<!a)b"])
def test_a_pattern_that_cannot_be_searched_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid):
        PatternPart.parse(pattern)
