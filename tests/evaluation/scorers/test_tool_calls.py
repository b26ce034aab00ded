"""Calls of tools: against what the prompt offers, from the provider or from the output itself."""

import asyncio
import json
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


def score(kind: str, output: str = "", calls: Any = (), tools: Any = (WEATHER, CLOCK), **spec: Any) -> Score:
    scorer = build_scorer(ScorerSpec.model_validate({"type": kind, **spec}), ScorerDependencies(embed=nobody, ask=nobody))
    return asyncio.run(run_scorer(scorer, ScorerInput(Case("c", {}), output, tool_calls=tuple(calls), tools=tuple(tools))))


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": "1"}


def written(name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


TOOLS = ("is-valid-openai-tools-call", "is-valid-openai-function-call", "is-valid-function-call")


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([call("weather", city="Wien")], None),
        ([call("weather", city="Wien", days=2), call("clock")], None),
        ([call("weather")], "the call of 'weather' does not fit"),
        ([call("weather", city="Wien", days="two")], "the call of 'weather' does not fit"),
        ([call("clock"), call("calendar")], "calls 'calendar', which is not offered"),
        ([], "the output has no call"),
    ],
)
def test_every_call_must_fit_what_is_offered(kind: str, calls: Any, words: str | None) -> None:
    plain, turned = score(kind, calls=calls), score(f"not-{kind}", calls=calls)
    assert (plain.passed, plain.score) == (words is None, float(words is None))
    assert (turned.passed, turned.score) == (words is not None, float(words is not None))
    assert (words or "every call fits") in plain.reason


@pytest.mark.parametrize(
    ("output", "holds"),
    [
        (json.dumps([written("weather", {"city": "Wien"})]), True),
        (json.dumps({"tool_calls": [written("weather", {"city": "Wien"})]}), True),
        (json.dumps([written("weather", {"town": "Wien"})]), False),
        (json.dumps([{"function": {"name": "weather", "arguments": "{"}}]), False),
        (json.dumps([{"function": {"name": "weather"}}]), False),
        (json.dumps([written("clock", {}), "x"]), False),
        ("[]", False),
        ("weather, please", False),
        ("MCP Tool Result (weather): sunny", True),
        ("MCP Tool Error (weather): no such city", False),
    ],
)
def test_calls_are_read_from_the_output_where_the_provider_gives_none(output: str, holds: bool) -> None:
    assert score("is-valid-openai-tools-call", output).passed is holds


def test_the_older_form_of_one_function_is_read_too() -> None:
    one = {"name": "weather", "arguments": '{"city": "Wien"}'}
    assert score("is-valid-function-call", json.dumps(one)).passed
    assert score("is-valid-openai-function-call", json.dumps({"function_call": one})).passed
    assert not score("is-valid-openai-tools-call", json.dumps(one)).passed


def test_without_tools_no_call_is_valid() -> None:
    assert "offers no tools" in score("is-valid-openai-tools-call", calls=[call("clock")], tools=()).reason


def test_the_providers_calls_go_before_the_output() -> None:
    found = score("tool-call-f1", '[{"name": "c"}]', [call("a"), call("b")], value=["a"], threshold=0.6)
    assert (found.passed, found.score) == (True, pytest.approx(2 / 3))


def test_f1_keeps_its_score_when_it_is_turned() -> None:
    found = score("not-tool-call-f1", calls=[call("a")], value="a, b")
    assert (found.passed, found.score) == (True, pytest.approx(2 / 3))
    assert score("tool-call-f1", "nothing", value="a").score == 0
