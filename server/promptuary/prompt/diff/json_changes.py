"""The changes between two JSON values, member by member; in the ordered parts of a content, another order is a change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptuary.prompt.canonical_json import InOrder, canonical_json, json_equal

ChangeKind = Literal["added", "removed", "changed"]
ABSENT: Any = object()


@dataclass(frozen=True)
class ContentChange:
    """One difference between two contents; `before` is None for an addition, `after` for a removal.

    `path` is the dotted path in the content. A message has its index in the new template, or in the old one if it is removed;
    a tool has its function's name. Where an object has another order, `before` and `after` are the names of its members in
    order. `diff` is a unified line diff of two texts. `why` is the reason why the change is breaking; None where it is not.
    """

    part: str
    path: str
    kind: ChangeKind
    before: Any
    after: Any
    diff: str | None = None
    why: str | None = None

    @property
    def breaking(self) -> bool:
        """Whether a program that works with the old version may fail with the new one."""
        return self.why is not None


@dataclass(frozen=True)
class JsonComparison:
    """A comparison of two values of a part.

    Attributes:
        part: the part of the content.
        reasons: why a change at a path is breaking; such a path is one change as a whole.
        ordered: the path from where on values are digested in their order and with their numbers as sent; None for none.
    """

    part: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    ordered: str | None = None

    def changes(self, path: str, before: Any, after: Any) -> Iterator[ContentChange]:
        """Yield the differences of two values at a path, each of which is a JSON value or absent."""
        if isinstance(before, dict) and isinstance(after, dict) and path not in self.reasons:
            for name in dict.fromkeys([*before, *after]):
                yield from self.changes(f"{path}.{name}", before.get(name, ABSENT), after.get(name, ABSENT))
            yield from self._order_changes(path, before, after)
        elif before is ABSENT:
            if after is not ABSENT:
                yield ContentChange(self.part, path, "added", None, after, why=self.reasons.get(path))
        elif after is ABSENT:
            yield ContentChange(self.part, path, "removed", before, None, why=self.reasons.get(path))
        elif not (same_bytes(before, after) if self._is_ordered(path) else json_equal(before, after)):
            yield ContentChange(self.part, path, "changed", before, after, why=self.reasons.get(path))

    def _order_changes(self, path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ContentChange]:
        if self._is_ordered(path) and [name for name in before if name in after] != [name for name in after if name in before]:
            yield ContentChange(self.part, path, "changed", list(before), list(after))

    def _is_ordered(self, path: str) -> bool:
        return self.ordered is not None and f"{path}.".startswith(f"{self.ordered}.")


def same_bytes(before: Any, after: Any) -> bool:
    """Return whether two JSON values have the same members in the same order, and the same numbers: 1 is not 1.0."""
    return canonical_json(InOrder(before)) == canonical_json(InOrder(after))


def config_breaks(before: Any, after: Any, path: str = "config") -> dict[str, str]:
    """Return why changes of a free configuration break programs that read it, by path."""
    if before is None:
        return {}
    if isinstance(before, dict) and isinstance(after, dict):
        reasons: dict[str, str] = {}
        for name, value in before.items():
            member = f"{path}.{name}"
            if name not in after:
                reasons[member] = f"a program that reads '{member}' gets nothing"
            else:
                reasons |= config_breaks(value, after[name], member)
        return reasons
    if _json_type(before) == _json_type(after):
        return {}
    return {path: f"a program that reads '{path}' gets {'nothing' if after is None else 'a value of another type'}"}


def _json_type(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
