"""Scorers of the tools in a trajectory, with promptfoo's verdicts: which were called, in which order, and how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from promptuary.evaluation.conversations.trajectory import Step, Trajectory
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType
from promptuary.evaluation.scorers.trajectory.matcher import (
    StepMatcher,
    known_steps,
    listed,
    tool_matcher,
    tool_steps,
)
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TemplateValue
from promptuary.prompt.errors import Invalid

_BOUNDS = ("min", "max")


@dataclass(frozen=True)
class StepRange:
    """How many steps are demanded.

    Attributes:
        low: the lowest number; None for no bound.
        high: the highest number; None for no bound.
    """

    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: JsonObject) -> "StepRange":
        """Read `min` and `max`.

        Raises:
            Invalid: for a bound that is no number, or a `min` above the `max`.
        """
        low, high = (_bound(value, name) for name in _BOUNDS)
        if low is not None and high is not None and low > high:
            raise Invalid("has a `min` above its `max`")
        return cls(low, high)

    def __contains__(self, count: int) -> bool:
        """Return whether a number is within the bounds."""
        return (self.low is None or count >= self.low) and (self.high is None or count <= self.high)

    def __str__(self) -> str:
        """Return the bounds, as reasons show them."""
        bounds = [f"at least {self.low:g}"] if self.low is not None else []
        return " and ".join(bounds + ([f"at most {self.high:g}"] if self.high is not None else []))


class ToolsUsedValue(TemplateValue):
    """A tool's name, a list of names, or an object of a name or pattern with `min` and `max`."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the value names tools."""
        if isinstance(value, list) and (not value or not all(isinstance(name, str) and name for name in value)):
            raise Invalid("must be the name of a tool, a list of names, or an object that has `name` or `pattern`")
        if not isinstance(value, list):
            tool_matcher(value, _BOUNDS)
        if isinstance(value, dict):
            StepRange.of(value)


@dataclass(frozen=True)
class ToolsUsed(BaseScorer):
    """Passes if each tool was called; or the one tool as often as its bounds allow, at least once without bounds.

    With `not-`, a list passes if none of its tools was called.
    """

    tools: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Find the tools among the calls."""
        value, steps = self.tools.fill(sample.case), tool_steps(sample)
        if isinstance(value, dict):
            return self._counted(value, steps)
        names = value if isinstance(value, list) else [value]
        matchers = [tool_matcher(name) for name in names]
        called = [matcher for matcher in matchers if any(map(matcher.matches, steps))]
        if self.inverse:
            reason = f"called: {listed(called)}" if called else f"none of {listed(matchers)} was called"
            return Score.binary(self.name, not called, f"{reason}; all calls: {listed(steps)}")
        missing = [matcher for matcher in matchers if matcher not in called]
        reason = f"not called: {listed(missing)}" if missing else f"called: {listed(called)}"
        return Score.binary(self.name, not missing, f"{reason}; all calls: {listed(steps)}")

    def _counted(self, value: JsonObject, steps: Trajectory) -> Score:
        matcher, bounds = tool_matcher(value, _BOUNDS), StepRange.of(value)
        bounds = StepRange(1 if bounds.low is None else bounds.low, bounds.high)
        matching = [step for step in steps if matcher.matches(step)]
        reason = f"{matcher} was called {len(matching)} times, demanded {bounds}; all calls: {listed(steps)}"
        return self.pass_or_fail(len(matching) in bounds, reason)


class ToolSequenceValue(TemplateValue):
    """Tools in their order: a list, or an object of `steps` and `mode`."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check the steps and the mode."""
        _sequence(value)


@dataclass(frozen=True)
class ToolSequence(BaseScorer):
    """Passes if the tools were called in this order, others between them; with the mode `exact`, these calls and no others."""

    sequence: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the calls with the sequence."""
        exact, matchers = _sequence(self.sequence.fill(sample.case))
        steps = tool_steps(sample)
        if exact:
            holds = len(steps) == len(matchers) and all(
                matcher.matches(step) for matcher, step in zip(matchers, steps, strict=True)
            )
            reason = f"exactly {listed(matchers)} demanded"
        else:
            missing = _first_missing(matchers, steps)
            holds = missing is None
            reason = f"in order: {listed(matchers)}" if holds else f"{missing} was not called in order"
        return self.pass_or_fail(holds, f"{reason}; all calls: {listed(steps)}")


class StepCountValue(TemplateValue):
    """`min`, `max` or both, with a name, pattern or type of the steps that are counted."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that there is a bound."""
        _step_count(value)


@dataclass(frozen=True)
class StepCount(BaseScorer):
    """Passes if the number of steps is within the bounds; with a name, pattern or type, of those steps alone."""

    count: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Count the steps."""
        matcher, bounds = _step_count(self.count.fill(sample.case))
        steps = [step for step in known_steps(sample) if matcher.matches(step)]
        return self.pass_or_fail(len(steps) in bounds, f"{len(steps)} steps, demanded {bounds}: {listed(steps)}")


def _sequence(value: Any) -> tuple[bool, list[StepMatcher]]:
    """Return whether a sequence is exact, and its steps."""
    mode = "in_order"
    if isinstance(value, Mapping):
        if unknown := sorted(value.keys() - {"mode", "steps"}):
            raise Invalid(f"has the field `{unknown[0]}`, which means nothing here")
        mode, value = value.get("mode") or mode, value.get("steps")
    if mode not in ("in_order", "exact"):
        raise Invalid("has a `mode` that is neither `in_order` nor `exact`")
    if not isinstance(value, list) or not value:
        raise Invalid("must be a list of at least one tool, or an object that has it as `steps`")
    return mode == "exact", [tool_matcher(step) for step in value]


def _first_missing(matchers: Sequence[StepMatcher], steps: Sequence[Step]) -> StepMatcher | None:
    """Return the first matcher that no step behind those of the earlier matchers fits; None where all have one."""
    remaining = iter(steps)
    return next((matcher for matcher in matchers if not any(matcher.matches(step) for step in remaining)), None)


def _step_count(value: Any) -> tuple[StepMatcher, StepRange]:
    if not isinstance(value, Mapping):
        raise Invalid("must be an object that has `min`, `max` or both")
    matcher, bounds = StepMatcher.of(value, named=False, more=_BOUNDS), StepRange.of(value)
    if bounds == StepRange(None, None):
        raise Invalid("must have `min`, `max` or both")
    return matcher, bounds


def _bound(value: JsonObject, name: str) -> float | None:
    bound = value.get(name)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        raise Invalid(f"has a `{name}` that is no number")
    return bound


def _used(settings: ScorerSettings[ToolsUsedValue, NoConfig], _: ScorerDependencies) -> ToolsUsed:
    return ToolsUsed(*settings.base, settings.value.template)


def _in_sequence(settings: ScorerSettings[ToolSequenceValue, NoConfig], _: ScorerDependencies) -> ToolSequence:
    return ToolSequence(*settings.base, settings.value.template)


def _counted_steps(settings: ScorerSettings[StepCountValue, NoConfig], _: ScorerDependencies) -> StepCount:
    return StepCount(*settings.base, settings.value.template)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "trajectory:tool-used": ScorerType(ToolsUsedValue, _used),
    "trajectory:tool-sequence": ScorerType(ToolSequenceValue, _in_sequence),
    "trajectory:step-count": ScorerType(StepCountValue, _counted_steps),
}
