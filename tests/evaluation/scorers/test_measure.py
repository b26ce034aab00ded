import asyncio
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.kind import ScorerParts
from promptuary.evaluation.scorers.registry import build
from promptuary.evaluation.scorers.score import Sample, scored
from promptuary.evaluation.scorers.spec import ScorerSpec


def nothing(_: Any) -> Any:
    raise AssertionError("a measure asks nobody")


@pytest.mark.parametrize(
    ("output", "spec", "holds"),
    [
        ("kitten", {"type": "levenshtein", "value": "sitting", "threshold": 3}, True),
        ("kitten", {"type": "levenshtein", "value": "sitting", "threshold": 2}, False),
        ("hello", {"type": "levenshtein", "value": "hello world", "threshold": 5}, False),
        ("hello", {"type": "levenshtein", "value": "{{expected}}"}, True),
        ("hello", {"type": "levenshtein", "value": "hallo", "threshold": 0}, False),
        ("", {"type": "levenshtein", "value": ""}, True),
        ("one two three", {"type": "word-count", "value": 3}, True),
        ("one two three", {"type": "word-count", "value": 2}, False),
        ("one two three", {"type": "word-count", "value": {"min": 4}}, False),
        ("one  two\nthree", {"type": "word-count", "value": {"max": 3}}, True),
        ("one two three", {"type": "word-count", "value": {"min": 1, "max": 2}}, False),
        ("", {"type": "word-count", "value": 0}, True),
        ("x", {"type": "latency", "threshold": 250}, True),
        ("x", {"type": "latency", "threshold": 249.9}, False),
    ],
)
def test_a_measure_is_held_against_its_bound_and_not_turns_it(output: str, spec: dict[str, Any], holds: bool) -> None:
    sample = Sample(Case("c", {}, expected="hello"), output, latency_ms=250)
    for prefix, expected in (("", holds), ("not-", not holds)):
        scorer = build(
            ScorerSpec.model_validate({**spec, "type": prefix + spec["type"]}), ScorerParts(embed=nothing, ask=nothing)
        )
        found = asyncio.run(scored(scorer, sample))
        assert (found.passed, found.score, found.error) == (expected, float(expected), None)
