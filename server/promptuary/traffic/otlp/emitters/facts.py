"""What a family of emitters reads out of the attributes of a call's span."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.traffic.calls.model_call import CallMessage, ReportedToolCall, TokenCounts

UNKNOWN_TOKENS = TokenCounts()


@dataclass(slots=True)
class CallFacts:
    """A model call as its family reports it. What the report does not have is None.

    Attributes:
        emitter: the instrumentation.
        operation: such as `chat`.
        provider: such as `openai`.
        model: that was requested.
        response_model: that answered.
        response_id: of the provider.
        tokens: as reported.
        cost: in US dollars.
        finish: as reported, before it is normalised.
        first_token_ms: until the first piece of a stream.
        latency_ms: where the span's own times are not those of the call.
        input: the messages.
        output: the text of the answer.
        tool_calls: those of the answer.
        is_cut: whether JSON of the messages was cut on its way.
    """

    emitter: str
    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    tokens: TokenCounts = UNKNOWN_TOKENS
    cost: float | None = None
    finish: Any = None
    first_token_ms: float | None = None
    latency_ms: float | None = None
    input: list[CallMessage] | None = None
    output: str | None = None
    tool_calls: Sequence[ReportedToolCall] = ()
    is_cut: bool = False
