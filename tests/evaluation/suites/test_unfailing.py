"""Scorers of a suite that no output can fail, refused at their place when the suite is read or stored."""

from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.suites.suite import read_suite
from promptuary.evaluation.suites.unfailing import matches_everything, unfailing_scorers
from promptuary.prompt.files.yaml_document import InvalidFile


def paths(spec: dict[str, Any]) -> list[str]:
    return [error.path for error in unfailing_scorers([ScorerSpec.model_validate(spec)])]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"type": "contains-any", "value": ["a", "{{! nothing }}"]}, "scorers.0.value.1"),
        ({"type": "icontains-any", "value": 'a, ""'}, "scorers.0.value"),
        ({"type": "icontains-all", "value": ["{{! }}", "a"]}, "scorers.0.value.0"),
        ({"type": "contains", "value": "{{! nothing }}"}, "scorers.0.value"),
        ({"type": "starts-with", "value": "{{! nothing }}"}, "scorers.0.value"),
        ({"type": "regex", "value": ".*"}, "scorers.0.value"),
        ({"type": "word-count", "value": {"min": 0}}, "scorers.0.value"),
        ({"type": "similar", "value": "a", "threshold": 0}, "scorers.0.threshold"),
        ({"type": "rouge-n", "value": "a", "threshold": 0}, "scorers.0.threshold"),
        (
            {"type": "assert-set", "assert": [{"type": "regex", "value": "x?"}, {"type": "contains", "value": "a"}]},
            "scorers.0.assert.0.value",
        ),
        ({"type": "assert-set", "threshold": 0, "assert": [{"type": "contains", "value": "a"}]}, "scorers.0.threshold"),
    ],
)
def test_a_scorer_that_no_output_can_fail_is_named_with_its_place(spec: dict[str, Any], path: str) -> None:
    assert paths(spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "contains-any", "value": ["a", "{{b}}"]},
        {"type": "not-contains-any", "value": 'a, ""'},
        {"type": "not-regex", "value": ".*"},
        {"type": "similar", "value": "a", "threshold": 0, "weight": 0},
        {"type": "levenshtein", "value": "a", "threshold": 0},
        {"type": "cost", "threshold": 0},
        {"type": "word-count", "value": {"min": 0, "max": 5}},
        {"type": "javascript", "value": "output.length", "threshold": 0},
        {"type": "regex", "value": "{{pattern}}"},
    ],
)
def test_a_scorer_that_some_output_can_fail_is_taken(spec: dict[str, Any]) -> None:
    assert paths(spec) == []


@pytest.mark.parametrize("pattern", [".*", "a*", "^.*", "(?:x|)", "x?", "[a-z]*", "^", "a{0,3}", ""])
def test_a_pattern_that_every_output_has_is_known(pattern: str) -> None:
    assert matches_everything(pattern)


@pytest.mark.parametrize("pattern", [".+", "^$", "^[^x]*$", "(?!x)", "^(?!.*error)", "a*b", r"\b", r"(a)?\1b", "(", "x"])
def test_a_pattern_that_some_output_lacks_is_taken(pattern: str) -> None:
    assert not matches_everything(pattern)


def test_a_suite_with_such_a_scorer_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("id,text\n1,a\n", encoding="utf-8")
    path = tmp_path / "suite.yaml"
    scorers = "scorers:\n  - {type: contains, value: a, name: a}\n  - {type: contains-any, value: ['{{! }}', b]}\n"
    path.write_text(f"name: words\nprompt: word\ndataset: cases.csv\nmodels: ['echo:']\n{scorers}", encoding="utf-8")
    with pytest.raises(InvalidFile) as refused:
        read_suite(path)
    (error,) = refused.value.field_errors
    assert (error.path, error.line) == ("scorers.1.value.0", 7)
