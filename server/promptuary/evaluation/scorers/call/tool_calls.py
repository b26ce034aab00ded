"""Scorers of tool calls: whether they fit the tools that the model was offered, and whether they are the expected ones."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.json_schema.schema import JsonSchema, compile_schema
from promptuary.evaluation.scorers.markup.json_output import parse_json
from promptuary.evaluation.scorers.score import REASON_LIMIT, BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, NoValue, ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TextListValue

_MCP_ERROR, _MCP_RESULT = "MCP Tool Error", "MCP Tool Result"


@dataclass(frozen=True)
class ParsedToolCall:
    """A call of a tool: its name, and its arguments as JSON."""

    name: str
    arguments: Any


@dataclass(frozen=True)
class ValidToolCalls(BaseScorer):
    """Passes if the model calls tools, each one that the prompt offers, with arguments that fit its schema.

    The calls are those that the provider reports; else the output itself, as JSON in OpenAI's form. `single` also accepts the
    older form of one function. promptfoo does not invert these types by `not-`; here `not-` inverts them as all others.
    """

    waits: ClassVar[bool] = False

    single: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Check every call."""
        if not self.single and (_MCP_ERROR in sample.output or _MCP_RESULT in sample.output):
            failed = _MCP_ERROR in sample.output
            return self.pass_or_fail(not failed, f"the output reports a tool's {'error' if failed else 'result'}")
        error = self._calls_error(sample)
        return self.pass_or_fail(error is None, error or "every call fits its tool")

    def _calls_error(self, sample: ScorerInput) -> str | None:
        if sample.invalid_tool_calls:
            invalid = sample.invalid_tool_calls[0]
            return f"the arguments of the call of '{invalid['name']}' are no JSON object: {invalid['args']}"
        calls = [ParsedToolCall(call["name"], call["args"]) for call in sample.tool_calls]
        calls = calls or _parse_calls(sample.output, single=self.single)
        if not calls:
            return "the output has no call of a tool in OpenAI's form"
        if not sample.tools:
            return "the prompt offers no tools, and the output calls some"
        offered = {tool["function"].get("name"): tool["function"] for tool in sample.tools if _is_function(tool)}
        for call in calls:
            if call.name not in offered:
                return f"calls '{call.name}', which is not offered"
            schema = json.dumps(offered[call.name].get("parameters") or {"type": "object"}, sort_keys=True)
            if error := _compiled_schema(schema).error(call.arguments):
                return f"the call of '{call.name}' {error}"
        return None


@dataclass(frozen=True)
class ToolCallF1(BaseScorer):
    """Passes if F1 of the names of called and expected tools is at least `threshold`, whatever their order and number.

    The names are those of the calls that the provider reports; else of the output, as JSON in OpenAI's, Anthropic's or
    Google's form, whole or line by line. `not-` inverts the verdict and keeps the score, as in promptfoo.
    """

    waits: ClassVar[bool] = False

    expected: ValueTemplate
    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the two sets of names."""
        expected = set(self.expected.texts(sample.case, commas=True))
        reported = (*sample.tool_calls, *sample.invalid_tool_calls)
        called = {str(call["name"]) for call in reported} or set(_called_names(sample.output))
        f1 = 2 * len(expected & called) / (len(expected) + len(called))
        reason = f"F1 {f1:.3f}, threshold {self.threshold:g}; called {', '.join(sorted(called)) or 'nothing'}"
        return Score(self.name, (f1 >= self.threshold) != self.inverse, f1, reason[:REASON_LIMIT])


@lru_cache(maxsize=128)
def _compiled_schema(schema: str) -> JsonSchema:
    return compile_schema(json.loads(schema))


def _is_function(tool: JsonObject) -> bool:
    return tool.get("type") == "function" and isinstance(tool.get("function"), Mapping)


def _parse_calls(output: str, *, single: bool) -> list[ParsedToolCall]:
    """Parse the calls in an output; none where any of them is not in OpenAI's form."""
    parsed = parse_json(output)
    value = parsed.value if parsed else None
    if isinstance(value, dict):
        value = value.get("tool_calls") or (value.get("function_call", value) if single else None)
    items = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    calls = [_parse_call(item, single=single) for item in items]
    return [] if None in calls else [call for call in calls if call is not None]


def _parse_call(item: Any, *, single: bool) -> ParsedToolCall | None:
    function = item.get("function", item if single else None) if isinstance(item, dict) else None
    if not isinstance(function, dict):
        return None
    name, arguments = function.get("name"), function.get("arguments")
    parsed = parse_json(arguments) if isinstance(arguments, str) else None
    return ParsedToolCall(name, parsed.value) if isinstance(name, str) and parsed is not None else None


def _called_names(output: str) -> Iterator[str]:
    """Yield the names of the tools that an output calls: one JSON value, or one a line."""
    whole = parse_json(output)
    if whole is not None:
        if isinstance(whole.value, str):
            yield from _called_names(whole.value)
        yield from _names_in(whole.value)
        return
    for line in output.split("\n"):
        if line.strip().startswith(("{", "[")) and (parsed := parse_json(line.strip())):
            yield from _names_in(parsed.value)


def _names_in(value: Any) -> Iterator[str]:
    """Yield the names in a value: an object in one of the forms, or a list of calls."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _names_in_item(item)
    elif isinstance(value, dict):
        yield from _names_in_object(value)


def _names_in_object(value: JsonObject) -> Iterator[str]:
    calls, tool_call = value.get("tool_calls"), value.get("toolCall")
    if isinstance(calls, list):
        for call in calls:
            if isinstance(call, dict):
                yield from _names_of(call.get("function"), call)
    elif value.get("type") == "tool_use" and isinstance(value.get("name"), str):
        yield value["name"]
    elif value.get("functionCall"):
        yield from _names_of(value["functionCall"])
    elif isinstance(tool_call, dict) and isinstance(tool_call.get("functionCalls"), list):
        yield from _names_of(*tool_call["functionCalls"])


def _names_in_item(item: JsonObject) -> Iterator[str]:
    for key in ("functionCall", "function"):
        if isinstance(item.get(key), dict) and item.get("type") != "tool_use":
            yield from _names_of(item[key])
            return
    yield from _names_of(item)


def _names_of(*objects: Any) -> Iterator[str]:
    for value in objects:
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            yield value["name"]


def _f1(settings: ScorerSettings[TextListValue, NoConfig], _: ScorerDependencies) -> ToolCallF1:
    return ToolCallF1(*settings.base, settings.value.template, settings.known_threshold)


def _valid_calls_type(*, single: bool) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> ValidToolCalls:
        return ValidToolCalls(*settings.base, single)

    return ScorerType(NoValue, build)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-valid-openai-tools-call": _valid_calls_type(single=False),
    "is-valid-openai-function-call": _valid_calls_type(single=True),
    "is-valid-function-call": _valid_calls_type(single=True),
    "tool-call-f1": ScorerType(TextListValue, _f1, threshold=ThresholdRange(0, 1, default=1.0)),
}
