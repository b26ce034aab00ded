"""Which steps of a trajectory an assertion is about: by name with wildcards, and by type."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from promptuary.evaluation.conversations.trajectory import Step, StepType, Trajectory
from promptuary.evaluation.scorers.score import ScorerInput
from promptuary.prompt.errors import Invalid

_NAME_FIELDS = frozenset({"name", "pattern", "type"})
_ANY_STEP = "*"


@dataclass(frozen=True)
class StepMatcher:
    """Matches steps.

    Attributes:
        pattern: of the name; `*` stands for any characters and `?` for one, whatever the case. None for every name.
        types: of the steps; empty for every type.
    """

    pattern: str | None
    types: tuple[StepType, ...] = ()

    @classmethod
    def of(cls, value: Any, *, types: tuple[StepType, ...] = (), named: bool = True, more: Iterable[str] = ()) -> Self:
        """Read a name, or an object of `name` or `pattern` and `type`.

        Args:
            value: of the suite.
            types: where the value names none.
            named: whether a name is required.
            more: further fields that the object may have.

        Raises:
            Invalid: with a message that continues the word "value".
        """
        if isinstance(value, str) and value:
            return cls(value, types)
        if not isinstance(value, Mapping):
            raise Invalid("must be the name of a tool, or an object that has `name` or `pattern`")
        if unknown := sorted(value.keys() - {*_NAME_FIELDS, *more}):
            raise Invalid(f"has the field `{unknown[0]}`, which means nothing here")
        pattern = value.get("pattern") or value.get("name")
        if (pattern is not None and not isinstance(pattern, str)) or (named and not pattern):
            raise Invalid("must have `name` or `pattern`, as a text")
        return cls(pattern, _types(value["type"]) if value.get("type") else types)

    def matches(self, step: Step) -> bool:
        """Return whether a step is of the types and has such a name."""
        if self.types and step.type not in self.types:
            return False
        return self.pattern is None or matches_pattern(step.name, self.pattern)

    def __str__(self) -> str:
        """Return the pattern, as reasons show it."""
        return self.pattern or _ANY_STEP


def matches_pattern(name: str, pattern: str) -> bool:
    """Return whether a name fits a pattern as a whole: `*` stands for any characters, `?` for one, whatever the case."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    any_character = "[^\n\r\u2028\u2029]"  # as JavaScript's dot
    collapsed = re.sub(r"\*+", "*", pattern)  # several have the meaning of one, and cost time
    parts = {"*": f"{any_character}*", "?": any_character}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in collapsed), re.IGNORECASE)


def _types(value: Any) -> tuple[StepType, ...]:
    names = value if isinstance(value, list) else [value]
    known = ", ".join(StepType)
    if unknown := [name for name in names if name not in set(StepType)]:
        raise Invalid(f"has the type '{unknown[0]}'; the steps of a trajectory here are of the types {known}")
    return tuple(StepType(name) for name in names)


def tool_matcher(value: Any, more: Sequence[str] = ()) -> StepMatcher:
    """Read the matcher of a tool.

    Raises:
        Invalid: for a value that names no tool.
    """
    matcher = StepMatcher.of(value, types=(StepType.TOOL,), more=more)
    if StepType.TOOL not in matcher.types:
        raise Invalid("is about calls of tools, so its `type` is `tool`")
    return matcher


def known_steps(sample: ScorerInput) -> Trajectory:
    """Return the steps that led to an output.

    Raises:
        Invalid: where an application does not state its calls of tools: that none is known does not show that there was none.
    """
    if sample.trajectory is None:
        raise Invalid("the application does not state its calls of tools; return `tool_calls` beside its `output`")
    return sample.trajectory


def tool_steps(sample: ScorerInput) -> Trajectory:
    """Return the calls of tools that led to an output; raise as `known_steps`."""
    return tuple(step for step in known_steps(sample) if step.type is StepType.TOOL)


def listed(steps: Iterable[object]) -> str:
    """Return steps as reasons list them."""
    return ", ".join(map(str, steps)) or "(none)"
