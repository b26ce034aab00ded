import asyncio
import math
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
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
def test_a_measure_is_held_against_its_bound_and_not_turns_it(output: str, spec: dict[str, Any], holds: bool) -> None:
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
        scorer = build_scorer(
            ScorerSpec.model_validate({**spec, "type": prefix + spec["type"]}), ScorerDependencies(embed=nothing, ask=nothing)
        )
        found = asyncio.run(run_scorer(scorer, sample))
        assert (found.passed, found.score, found.error) == (expected, float(expected), None)


def score(spec: dict[str, Any], **more: Any) -> Score:
    scorer = build_scorer(ScorerSpec.model_validate(spec), ScorerDependencies(embed=nothing, ask=nothing))
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {}), "x", **more)))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "cost", "threshold": 1}, "the cost is not known"),
        ({"type": "token-count", "value": 1}, "does not report how many tokens"),
        ({"type": "perplexity"}, "returned no log probabilities"),
        ({"type": "perplexity-score"}, "returned no log probabilities"),
        ({"type": "word-count", "value": "{{nobody}}"}, "is no whole number"),
    ],
)
def test_what_is_not_known_is_an_error_turned_or_not(spec: dict[str, Any], words: str) -> None:
    for kind in (spec["type"], f"not-{spec['type']}"):
        found = score({**spec, "type": kind})
        assert (found.passed, found.score) == (None, None)
        assert words in (found.error or "")


def test_without_a_threshold_perplexity_always_passes() -> None:
    for kind in ("perplexity", "not-perplexity"):
        assert score({"type": kind}, logprobs=(-1.0,)).passed is True


def test_a_perplexity_score_is_a_score() -> None:
    surely, halved = (0.0, 0.0), (math.log(0.5),)
    assert score({"type": "perplexity-score"}, logprobs=surely).score == 0.5
    assert score({"type": "perplexity-score", "threshold": 0.4}, logprobs=halved).passed is False
    turned = score({"type": "not-perplexity-score", "threshold": 0.4}, logprobs=halved)
    assert (turned.passed, turned.score) == (True, pytest.approx(2 / 3))
    assert score({"type": "perplexity-score"}, logprobs=(-1e9,)).score == pytest.approx(0)


def test_no_finish_reason_is_none_that_is_wanted() -> None:
    assert score({"type": "finish-reason", "value": "stop"}).passed is False
    assert score({"type": "not-finish-reason", "value": "stop"}).passed is True
