"""Scorers of calls of tools: whether they fit what the model was offered, and whether they are the ones that were wanted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.json_schema import json_schema_validator, schema_error
from promptuary.evaluation.scorers.markup.json_output import parse_json
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NOTHING, TEXTS, ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

ToolCall = tuple[str, Any]
_FAILED, _WORKED = "MCP Tool Error", "MCP Tool Result"


@dataclass(frozen=True)
class ValidToolCalls(BaseScorer):
    """The model calls tools, each one that the prompt offers, with arguments that fit its schema.

    The calls are what the provider gives as such; else the output itself, as JSON in OpenAI's form. `single` takes the older
    form of one function too. promptfoo does not turn these by `not-`; here it turns them as all others.
    """

    single: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Check every call."""
        if not self.single and (_FAILED in sample.output or _WORKED in sample.output):
            failed = _FAILED in sample.output
            return self.answer(not failed, "the output tells of a tool's " + ("error" if failed else "result"))
        fault = self._fault(sample)
        return self.answer(fault is None, fault or "every call fits its tool")

    def _fault(self, sample: ScorerInput) -> str | None:
        calls = [(call["name"], call["args"]) for call in sample.tool_calls] or _given(sample.output, single=self.single)
        if not calls:
            return "the output has no call of a tool in OpenAI's form"
        if not sample.tools:
            return "the prompt offers no tools, and the output calls some"
        offered = {tool["function"].get("name"): tool["function"] for tool in sample.tools if _is_function(tool)}
        for name, arguments in calls:
            if name not in offered:
                return f"calls '{name}', which is not offered"
            schema = json.dumps(offered[name].get("parameters") or {"type": "object"}, sort_keys=True)
            if fault := schema_error(_validator(schema), arguments):
                return f"the call of '{name}' {fault}"
        return None


@dataclass(frozen=True)
class ToolCallF1(BaseScorer):
    """The tools that are called are those wanted, whatever their order and number: F1 of the names is at least `threshold`.

    The names are those of the calls that the provider gives; else of the output, as JSON in OpenAI's, Anthropic's or Google's
    form, whole or line by line. `not-` turns the verdict and leaves the score, as promptfoo has it.
    """

    value: ValueTemplate
    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the two sets of names."""
        wanted = set(self.value.texts(sample.case, commas=True))
        called = {str(call["name"]) for call in sample.tool_calls} or set(_names(sample.output))
        f1 = 2 * len(wanted & called) / (len(wanted) + len(called))
        reason = f"F1 {f1:.3f}, threshold {self.threshold:g}; called {', '.join(sorted(called)) or 'nothing'}"
        return Score(self.name, (f1 >= self.threshold) != self.inverse, f1, reason[:500])


@lru_cache(maxsize=128)
def _validator(schema: str) -> Any:
    return json_schema_validator(json.loads(schema))


def _is_function(tool: Mapping[str, Any]) -> bool:
    return tool.get("type") == "function" and isinstance(tool.get("function"), Mapping)


def _given(output: str, *, single: bool) -> list[ToolCall]:
    """Read calls from an output; none where any of them is not in OpenAI's form."""
    found = parse_json(output)
    value = found[0] if found else None
    if isinstance(value, dict):
        value = value.get("tool_calls") or (value.get("function_call", value) if single else None)
    functions = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    calls: list[ToolCall] = []
    for one in functions:
        function = one.get("function", one if single else None) if isinstance(one, dict) else None
        name, arguments = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else (None, None)
        read = parse_json(arguments) if isinstance(arguments, str) else None
        if not isinstance(name, str) or read is None:
            return []
        calls.append((name, read[0]))
    return calls


def _names(output: str) -> Iterator[str]:
    whole = parse_json(output)
    if whole is not None:
        if isinstance(whole[0], str):
            yield from _names(whole[0])
        yield from _called(whole[0])
        return
    for line in output.split("\n"):
        if line.strip().startswith(("{", "[")) and (found := parse_json(line.strip())):
            yield from _called(found[0])


def _called(value: Any) -> Iterator[str]:
    """Give the names in a value: an object in one of the forms, or a list of calls."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _one(item)
    elif isinstance(value, dict):
        calls = value.get("tool_calls")
        outer = value.get("toolCall")
        if isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict):
                    yield from _strings(call.get("function"), call)
        elif value.get("type") == "tool_use" and isinstance(value.get("name"), str):
            yield value["name"]
        elif value.get("functionCall"):
            yield from _strings(value["functionCall"])
        elif isinstance(outer, dict) and isinstance(outer.get("functionCalls"), list):
            yield from _strings(*outer["functionCalls"])


def _one(item: Mapping[str, Any]) -> Iterator[str]:
    for inner in ("functionCall", "function"):
        if isinstance(item.get(inner), dict) and item.get("type") != "tool_use":
            yield from _strings(item[inner])
            return
    yield from _strings(item)


def _strings(*objects: Any) -> Iterator[str]:
    for one in objects:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"]


def _f1(spec: "ScorerSpec", _: ScorerDependencies) -> ToolCallF1:
    threshold = 1.0 if spec.threshold is None else spec.threshold
    return ToolCallF1(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), threshold)


def _valid(*, single: bool) -> ScorerType:
    return ScorerType(NOTHING, lambda spec, _: ValidToolCalls(spec.metric, spec.weight, spec.inverse, single))


SCORER_TYPES: dict[str, ScorerType] = {
    "is-valid-openai-tools-call": _valid(single=False),
    "is-valid-openai-function-call": _valid(single=True),
    "is-valid-function-call": _valid(single=True),
    "tool-call-f1": ScorerType(TEXTS, _f1, threshold=(0, 1)),
}
