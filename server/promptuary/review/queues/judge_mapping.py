"""Which decisions of a queue are labels of a judge's outputs, and which of them mean that an output passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptuary.core.errors import FieldError, InvalidRequest

UNDECIDED = ("unsure", "saved")
"""Decisions that are no label, unless the mapping names them: the reviewer cannot decide, or only the fields were filled in."""


@dataclass(frozen=True)
class JudgeMapping:
    """How decisions become labels.

    Attributes:
        metric: the judged metric that the labels are compared with.
        passes: the values that mean a pass.
        fails: the values that mean a fail; None for all others that are not `UNDECIDED`.
        field: the field of the label schema that has the value; None for the queue's own decision.
    """

    metric: str
    passes: tuple[Any, ...]
    fails: tuple[Any, ...] | None = None
    field: str | None = None

    @classmethod
    def from_source(cls, source: Mapping[str, Any] | None) -> Self | None:
        """Read the mapping in a queue's `source`; None where it has none."""
        body = (source or {}).get("judge")
        if not isinstance(body, dict):
            return None
        fails = body.get("fails")
        return cls(body["metric"], tuple(body["passes"]), None if fails is None else tuple(fails), body.get("field"))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON in the queue's `source`; what is not set is left out."""
        body: dict[str, Any] = {"metric": self.metric, "passes": list(self.passes)}
        if self.fails is not None:
            body["fails"] = list(self.fails)
        return body if self.field is None else body | {"field": self.field}

    def label_of(self, decision: str, labels: Mapping[str, Any] | None) -> float | None:
        """Return 1 for a pass, 0 for a fail, None for what is no label."""
        return self.label_of_value(decision if self.field is None else (labels or {}).get(self.field))

    def label_of_value(self, value: Any) -> float | None:
        """Return 1, 0 or None for the value of the decision, or of the field."""
        if value is None or isinstance(value, list | dict):
            return None
        if value in self.passes:
            return 1.0
        if self.fails is not None:
            return 0.0 if value in self.fails else None
        return None if value in UNDECIDED else 0.0


def validate_mapping(mapping: JudgeMapping | None, choices: Sequence[str]) -> None:
    """Check that a mapping's values are decisions of its queue, where its decisions are the labels.

    Raises:
        InvalidRequest: with each value that is none.
    """
    if mapping is None or mapping.field is not None:
        return
    errors = [
        FieldError(f"judge.{name}.{number}", f"is none of this queue's decisions: {', '.join(choices)}")
        for name, values in (("passes", mapping.passes), ("fails", mapping.fails or ()))
        for number, value in enumerate(values)
        if value not in choices
    ]
    if errors:
        raise InvalidRequest("decisions cannot become labels", errors)
