"""Tool calls, which the provider reports or the output has, compared with the tools that the prompt offers."""

import json
from typing import Any

import pytest

from factories.scorers import score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import Score, ScorerInput

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


def score(name: str, output: str = "", calls: Any = (), tools: Any = (WEATHER, CLOCK), **spec: Any) -> Score:
    sample = ScorerInput(Case("c", {}), output, tool_calls=tuple(calls), tools=tuple(tools))
    return score_sample(sample, type=name, **spec)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    """Create a call as the provider reports it."""
    return {"name": name, "args": arguments, "id": "1"}


def openai_call(name: str, arguments: Any) -> dict[str, Any]:
    """Create a call in OpenAI's form, as an output has it."""
    return {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


TOOL_TYPES = ("is-valid-openai-tools-call", "is-valid-openai-function-call", "is-valid-function-call")


@pytest.mark.parametrize("name", TOOL_TYPES)
@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([call("weather", city="Wien")], None),
        ([call("weather", city="Wien", days=2), call("clock")], None),
        ([call("weather")], "the call of 'weather' does not fit"),
        ([call("weather", city="Wien", days="two")], "the call of 'weather' does not fit"),
        ([call("clock"), call("calendar")], "calls 'calendar', which is not offered"),
        ([], "the output has no call"),
    ],
)
def test_every_call_must_fit_an_offered_tool(name: str, calls: Any, message: str | None) -> None:
    plain, inverted = score(name, calls=calls), score(f"not-{name}", calls=calls)
    assert (plain.passed, plain.score) == (message is None, float(message is None))
    assert (inverted.passed, inverted.score) == (message is not None, float(message is not None))
    assert (message or "every call fits") in plain.reason


@pytest.mark.parametrize(
    ("output", "holds"),
    [
        (json.dumps([openai_call("weather", {"city": "Wien"})]), True),
        (json.dumps({"tool_calls": [openai_call("weather", {"city": "Wien"})]}), True),
        (json.dumps([openai_call("weather", {"town": "Wien"})]), False),
        (json.dumps([{"function": {"name": "weather", "arguments": "{"}}]), False),
        (json.dumps([{"function": {"name": "weather"}}]), False),
        (json.dumps([openai_call("clock", {}), "x"]), False),
        ("[]", False),
        ("weather, please", False),
        ("MCP Tool Result (weather): sunny", True),
        ("MCP Tool Error (weather): no such city", False),
    ],
)
def test_calls_are_parsed_from_the_output_if_none_are_reported(output: str, holds: bool) -> None:
    assert score("is-valid-openai-tools-call", output).passed is holds


def test_the_older_form_of_one_function_is_accepted() -> None:
    function = {"name": "weather", "arguments": '{"city": "Wien"}'}
    assert score("is-valid-function-call", json.dumps(function)).passed
    assert score("is-valid-openai-function-call", json.dumps({"function_call": function})).passed
    assert not score("is-valid-openai-tools-call", json.dumps(function)).passed


def test_without_tools_no_call_is_valid() -> None:
    assert "offers no tools" in score("is-valid-openai-tools-call", calls=[call("clock")], tools=()).reason


def test_reported_calls_have_precedence_over_the_output() -> None:
    result = score("tool-call-f1", '[{"name": "c"}]', [call("a"), call("b")], value=["a"], threshold=0.6)
    assert (result.passed, result.score) == (True, pytest.approx(2 / 3))


def test_not_inverts_the_verdict_of_f1_and_keeps_its_score() -> None:
    result = score("not-tool-call-f1", calls=[call("a")], value="a, b")
    assert (result.passed, result.score) == (True, pytest.approx(2 / 3))
    assert score("tool-call-f1", "nothing", value="a").score == 0
