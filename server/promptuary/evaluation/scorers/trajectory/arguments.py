"""The scorer of the arguments with which tools were called, with promptfoo's verdicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType
from promptuary.evaluation.scorers.trajectory.matcher import StepMatcher, listed, matches_pattern, tool_matcher, tool_steps
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TemplateValue
from promptuary.prompt.canonical_json import json_equal
from promptuary.prompt.errors import Invalid


class ToolArgumentsValue(TemplateValue):
    """A tool and its arguments: `name` or `pattern`, `args`, and how they are compared: `mode`, `defaults`, `ignore`."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check all fields."""
        _ExpectedArguments.of(value)


@dataclass(frozen=True)
class _ExpectedArguments:
    """What one call of a tool must have as its arguments.

    Attributes:
        matcher: of the tool.
        arguments: the expected ones.
        mode: whether others may stand beside them.
        defaults: values by name that a call may have beside the expected arguments.
        ignore: names or patterns of arguments that are not compared.
    """

    matcher: StepMatcher
    arguments: Any
    mode: Literal["partial", "exact"]
    defaults: JsonObject
    ignore: Sequence[str]

    @classmethod
    def of(cls, value: Any) -> "_ExpectedArguments":
        """Read a value.

        Raises:
            Invalid: for what it may not have.
        """
        if not isinstance(value, Mapping):
            raise Invalid("must be an object of `name` or `pattern`, and `args`")
        matcher = tool_matcher(value, ("args", "arguments", "mode", "defaults", "ignore"))
        if "args" not in value and "arguments" not in value:
            raise Invalid("must have `args`, the arguments that the call is to have")
        mode, defaults, ignore = value.get("mode", "partial"), value.get("defaults", {}), value.get("ignore", [])
        if mode not in ("partial", "exact"):
            raise Invalid("has a `mode` that is neither `partial` nor `exact`")
        if not isinstance(defaults, dict):
            raise Invalid("has `defaults` that are no object")
        names = ignore if isinstance(ignore, list) else [ignore]
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise Invalid("has an `ignore` that is no name and no list of names")
        return cls(matcher, value["args"] if "args" in value else value["arguments"], mode, defaults, names)

    def match(self, actual: Any) -> bool:
        """Return whether the arguments of a call are the expected ones."""
        actual, expected = self._compared(actual), self._compared(self.arguments)
        if isinstance(actual, Mapping):
            actual = {name: item for name, item in actual.items() if not self._is_default(name, item)}
        return json_equal(actual, expected) if self.mode == "exact" else _has_all(actual, expected)

    def _compared(self, arguments: Any) -> Any:
        """Return arguments without those that are not compared."""
        if not self.ignore or not isinstance(arguments, Mapping):
            return arguments
        return {name: item for name, item in arguments.items() if not any(_ignores(entry, name) for entry in self.ignore)}

    def _is_default(self, name: str, value: Any) -> bool:
        return name in self.defaults and json_equal(value, self.defaults[name])


@dataclass(frozen=True)
class ToolArguments(BaseScorer):
    """Passes if one call of the tool has the arguments: among others, or with the mode `exact` these alone."""

    expected: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the arguments of each call of the tool."""
        expected = _ExpectedArguments.of(self.expected.fill(sample.case))
        calls = [step for step in tool_steps(sample) if expected.matcher.matches(step)]
        known = [step for step in calls if step.arguments is not None]
        holds = any(expected.match(step.arguments) for step in known)
        if not calls:
            return self.pass_or_fail(False, f"{expected.matcher} was not called; all calls: {listed(tool_steps(sample))}")
        observed = ", ".join(_text(step.arguments) for step in known) or "none that can be read"
        expected_text = f"{'exactly ' if expected.mode == 'exact' else ''}{_text(expected.arguments)}"
        return self.pass_or_fail(holds, f"{expected.matcher} was called with {observed}; demanded {expected_text}")


def _has_all(actual: Any, expected: Any) -> bool:
    """Return whether a value has the expected members, with others beside them; lists have the same length."""
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(_has_all, actual, expected))
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            name in actual and _has_all(actual[name], item) for name, item in expected.items()
        )
    return json_equal(actual, expected)


def _ignores(entry: str, name: str) -> bool:
    return entry == name or (("*" in entry or "?" in entry) and matches_pattern(name, entry))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _build(settings: ScorerSettings[ToolArgumentsValue, NoConfig], _: ScorerDependencies) -> ToolArguments:
    return ToolArguments(*settings.base, settings.value.template)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "trajectory:tool-args-match": ScorerType(ToolArgumentsValue, _build),
}
