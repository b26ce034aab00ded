"""A rule that maps calls which name no prompt to a prompt. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.traffic.calls.model_call import ModelCall

AttributeValue = str | bool | int | float


@dataclass(frozen=True)
class MappingRule:
    """Conditions that a call must all meet, and the prompt that it is counted for, with a version or a label where it has one.

    Attributes:
        prompt: the name of the prompt.
        service: `service.name` of the reporting program.
        span_name: the name of the call's span.
        attribute: attributes of the span with their values. Numbers, truth values and texts are compared by their JSON text,
            since emitters differ in the type: `"5"` is 5, and `"true"` is true.
        version: of the prompt; None for an unknown one.
        label: in place of the version: it is the one at which the label points at the time of the call.
    """

    prompt: str
    service: str | None = None
    span_name: str | None = None
    attribute: Mapping[str, AttributeValue] = field(default_factory=dict)
    version: int | None = None
    label: str | None = None

    def matches(self, call: ModelCall) -> bool:
        """Return whether a call meets every condition."""
        if self.service is not None and self.service != call.service:
            return False
        if self.span_name is not None and self.span_name != call.span_name:
            return False
        return all(
            name in call.attributes and _text(call.attributes[name]) == _text(value) for name, value in self.attribute.items()
        )


def find_rule(rules: Sequence[MappingRule], call: ModelCall) -> MappingRule | None:
    """Return the first rule that a call meets; None for none."""
    return next((rule for rule in rules if rule.matches(call)), None)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
