import math
from typing import Any

import pytest

from factories.scorers import score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import Score, ScorerInput


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
        ("one two", {"type": "word-count", "value": "2"}, True),
        ("one two", {"type": "word-count", "value": "{{limit}}"}, True),
        ("one two", {"type": "word-count", "value": {"max": "{{limit}}"}}, True),
        ("x", {"type": "token-count", "value": 7}, True),
        ("x", {"type": "token-count", "value": {"max": 6}}, False),
        ("x", {"type": "cost", "threshold": 0.002}, True),
        ("x", {"type": "cost", "threshold": 0.0019}, False),
        ("x", {"type": "finish-reason", "value": "STOP"}, True),
        ("x", {"type": "finish-reason", "value": "length"}, False),
        ("x", {"type": "perplexity", "threshold": 2.01}, True),
        ("x", {"type": "perplexity", "threshold": 1.99}, False),
        ("x", {"type": "latency", "threshold": 250}, True),
        ("x", {"type": "latency", "threshold": 249.9}, False),
    ],
)
def test_a_measurement_is_compared_with_its_limit_and_not_inverts(output: str, spec: dict[str, Any], holds: bool) -> None:
    sample = ScorerInput(
        Case("c", {"limit": 2}, expected="hello"),
        output,
        latency_ms=250,
        finish_reason="stop",
        logprobs=(math.log(0.25), 0.0),
        tokens={"input": 3, "output": 7},
        cost=0.002,
    )
    for prefix, expected in (("", holds), ("not-", not holds)):
        result = score_sample(sample, **{**spec, "type": prefix + spec["type"]})
        assert (result.passed, result.score, result.error) == (expected, float(expected), None)


def score(spec: dict[str, Any], **more: Any) -> Score:
    return score_sample(ScorerInput(Case("c", {}), "x", **more), **spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "cost", "threshold": 1}, "the cost is not known"),
        ({"type": "token-count", "value": 1}, "does not report how many tokens"),
        ({"type": "perplexity"}, "returned no log probabilities"),
        ({"type": "perplexity-score"}, "returned no log probabilities"),
        ({"type": "word-count", "value": "{{missing}}"}, "which has no {{missing}}"),
        ({"type": "word-count", "value": "{{missing}}five"}, "is no whole number"),
    ],
)
def test_an_unknown_measurement_is_an_error_with_and_without_not(spec: dict[str, Any], message: str) -> None:
    for name in (spec["type"], f"not-{spec['type']}"):
        result = score({**spec, "type": name})
        assert (result.passed, result.score) == (None, None)
        assert message in (result.error or "")


def test_without_a_threshold_perplexity_always_passes() -> None:
    for name in ("perplexity", "not-perplexity"):
        assert score({"type": name}, logprobs=(-1.0,)).passed is True


def test_a_perplexity_score_is_between_zero_and_one() -> None:
    certain, halved = (0.0, 0.0), (math.log(0.5),)
    assert score({"type": "perplexity-score"}, logprobs=certain).score == 0.5
    assert score({"type": "perplexity-score", "threshold": 0.4}, logprobs=halved).passed is False
    inverted = score({"type": "not-perplexity-score", "threshold": 0.4}, logprobs=halved)
    assert (inverted.passed, inverted.score) == (True, pytest.approx(2 / 3))
    assert score({"type": "perplexity-score"}, logprobs=(-1e9,)).score == pytest.approx(0)


def test_without_a_finish_reason_no_expected_one_matches() -> None:
    assert score({"type": "finish-reason", "value": "stop"}).passed is False
    assert score({"type": "not-finish-reason", "value": "stop"}).passed is True
