"""Patterns of JavaScript translated to RE2; `test_promptfoo_verdicts` compares what they match with promptfoo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern, translate_to_re2
from promptuary.prompt.errors import Invalid


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("(?i)x", "the group at 0 begins as none does in JavaScript; to ignore case write"),
        ("a(?P<n>x)", "the group at 1 begins as none does"),
        ("(a", "a group is not closed"),
        ("a)", "a bracket closes no group"),
        ("[a", "a class in square brackets is not closed"),
        ("[z-a]", "runs backwards"),
        ("*", "there is nothing to repeat at 0"),
        ("a|+", "there is nothing to repeat at 2"),
        ("a++", "there is nothing to repeat at 2"),
        ("a\\", "a backslash stands at the end"),
        ("[\\", "a backslash stands at the end"),
    ],
)
def test_what_is_no_pattern_in_javascript_is_an_error(source: str, message: str) -> None:
    with pytest.raises(InvalidPattern) as raised:
        translate_to_re2(source)
    assert message in raised.value.message


@pytest.mark.parametrize("source", ["(?=x)", "(?!x)", "(?<=x)y", "(?<!x)y", r"(a)\1", r"(?<n>a)\k<n>", r"\2(a)(b)"])
def test_what_re2_lacks_is_a_different_error(source: str) -> None:
    with pytest.raises(Invalid, match="RE2 has no") as raised:
        translate_to_re2(source)
    assert not isinstance(raised.value, InvalidPattern)


@pytest.mark.parametrize(
    ("source", "text"), [(r"\0", "\x00"), ("(?i:É)", "é"), ("(?<$a>x)", "x"), ("\\u00e9", "é"), ("[^]", "\n")]
)
def test_patterns_beyond_the_golden_cases_match(source: str, text: str) -> None:
    assert re2_pattern.matches(re2_pattern.compile_javascript(source), text)


@given(st.text(st.sampled_from("ab.*+?()[]{}|^$\\-dswbBkxu01,:=!<>P\n"), max_size=12))
def test_every_pattern_is_compiled_or_refused(source: str) -> None:
    try:
        re2_pattern.matches(re2_pattern.compile_javascript(source), "ab01")
    except Invalid:
        pass


@given(st.text(max_size=20), st.text(max_size=5))
def test_an_escaped_text_matches_itself(text: str, around: str) -> None:
    source = "".join(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else character for character in text)
    assert re2_pattern.matches(re2_pattern.compile_javascript(source), around + text + around)
