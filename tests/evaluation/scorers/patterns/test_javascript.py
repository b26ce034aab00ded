"""Patterns of JavaScript translated to RE2; `test_promptfoo_verdicts` compares what they match with promptfoo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.scorers.patterns.engine import PatternTooSlow
from promptuary.evaluation.scorers.patterns.javascript import BeyondRe2, InvalidPattern, translate_to_re2
from promptuary.evaluation.scorers.patterns.pattern import compile_javascript
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
    with pytest.raises(BeyondRe2, match="RE2 has no"):
        translate_to_re2(source)


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        ("^.$", "🐝", False),
        ("^..$", "🐝", True),
        ("^[^a]{2}$", "🐝", True),
        (r"^\W\S$", "🐝", True),
        ("^🐝$", "🐝", True),
        ("^🐝+$", "🐝🐝", False),
        ("^(🐝)+$", "🐝🐝", True),
        ("[🐝]", "🐞", True),  # the two share their first half
        (r"^\ud83d\udc1d$", "🐝", True),
        (r"^[\ud800-\udbff][\udc00-\udfff]$", "🐝", True),
        (r"^[\u0000-\uffff]{2}$", "🐝", True),
        (r"^[\u0000-\ud7ff\ue000-\uffff]+$", "🐝", False),
        (r"\ud83d", "\ud83d", True),
        (r"\u{1f41d}", "🐝", False),
        (r"^\p{L}$", "é", False),
        (r"^\p{L}$", "p{L}", True),
        (r"(?<=foo)\d", "foo1", True),
        (r"(?<!foo)\d", "foo1", False),
        (r"^(?=.*\d)(?!.*x)", "a1", True),
        (r"^(ab)\1$", "abab", True),
        (r"(?<=🐝)x", "🐝x", True),
        (r"^(?!x)..$", "🐝", True),
        ("x{1,2000}", "x", True),
    ],
)
def test_a_pattern_without_flags_matches_units_of_utf_16(source: str, text: str, matches: bool) -> None:
    assert compile_javascript(source).matches(text) is matches


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        ("^.$", "🐝", True),
        (r"^\p{L}+$", "né", True),
        (r"^[\p{Lu}\d]+$", "É1", True),
        (r"^\P{L}$", "é", False),
        (r"^\p{Script=Greek}$", "λ", True),
        (r"^\p{Emoji}$", "🐝", True),
        (r"^\u{1f41d}$", "🐝", True),
        (r"^\ud83d\udc1d$", "🐝", True),
        (r"^[🐜-🐞]$", "🐝", True),
        (r"^[^\u0000-\uffff]$", "🐝", True),
        (r"^(?!x)a", "ab", True),
    ],
)
def test_a_pattern_of_a_schema_matches_characters(source: str, text: str, matches: bool) -> None:
    assert compile_javascript(source, unicode=True).matches(text) is matches


@pytest.mark.parametrize("source", [r"\a", "}", "a{", r"\p{Nothing}", "(?i)x", r"\u{110000}", "(?=a)*", r"\1", "]"])
def test_a_pattern_of_a_schema_is_read_strictly(source: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_javascript(source, unicode=True)


@pytest.mark.parametrize("source", ["(?=x", "(?<=a", r"(a)\1(", "(?!a)**"])
def test_what_only_the_engine_reads_is_checked_by_it(source: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_javascript(source)


@pytest.mark.parametrize("source", [r"^(?=a)(a+)+$", r"^(\w+\s?)*\1!$"])
def test_a_catastrophic_pattern_ends_as_an_error(source: str) -> None:
    with pytest.raises(PatternTooSlow, match="limit of time or memory"):
        compile_javascript(source).matches("a" * 60 + "-", seconds=0.05)


@pytest.mark.parametrize(
    ("source", "text"), [(r"\0", "\x00"), ("(?i:É)", "é"), ("(?<$a>x)", "x"), ("\\u00e9", "é"), ("[^]", "\n")]
)
def test_patterns_beyond_the_golden_cases_match(source: str, text: str) -> None:
    assert compile_javascript(source).matches(text)


@given(st.text(st.sampled_from("ab.*+?()[]{}|^$\\-dswbBkxu01,:=!<>P\n"), max_size=12))
def test_every_pattern_is_compiled_or_refused(source: str) -> None:
    try:
        compile_javascript(source).matches("ab01")
    except Invalid:
        pass


@given(st.text(max_size=20), st.text(max_size=5))
def test_an_escaped_text_matches_itself(text: str, around: str) -> None:
    source = "".join(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else character for character in text)
    assert compile_javascript(source).matches(around + text + around)
