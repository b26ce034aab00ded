"""The values of a call that are no contents, as `observation.details` stores them: JSON without the unknown ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptuary.traffic.calls.model_call import Attribution, ModelCall, TokenCounts


@dataclass(frozen=True, kw_only=True)
class CallDetails:
    """What is known of a call beside its contents; unknown values are None. The fields are those of `ModelCall`."""

    latency_ms: float | None = None
    first_token_ms: float | None = None
    error_type: str | None = None
    finish: str | None = None
    provider: str | None = None
    model: str | None = None
    response_model: str | None = None
    operation: str | None = None
    tokens: TokenCounts = field(default_factory=TokenCounts)
    cost: float | None = None
    attribution: Attribution | None = None
    conversation: str | None = None
    emitter: str = "unknown"
    service: str | None = None

    @classmethod
    def of(cls, call: ModelCall) -> "CallDetails":
        """Return the details of a call."""
        return cls(**{name: getattr(call, name) for name in cls.__dataclass_fields__})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CallDetails":
        """Return the details that `to_json` stored."""
        attribution = value.get("attribution")
        typed = {
            "tokens": TokenCounts(**value.get("tokens", {})),
            "attribution": None if attribution is None else Attribution(attribution),
        }
        return cls(**{**value, **typed})

    def to_json(self) -> dict[str, Any]:
        """Return the known values as JSON."""
        value = {name: known for name, known in vars(self).items() if known is not None}
        tokens = {name: count for name, count in vars(self.tokens).items() if count is not None}
        value["tokens"] = tokens
        if self.attribution is not None:
            value["attribution"] = self.attribution.value
        return {name: known for name, known in value.items() if known != {}}
