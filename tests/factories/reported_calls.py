"""Model calls as an emitter reports them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from promptuary.traffic.calls.model_call import (
    CallContents,
    CallMessage,
    ModelCall,
    PromptMark,
    SpanLink,
    TokenCounts,
    TrafficReading,
)

AT = datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRIAGE = PromptMark("support.triage", "1")
CONTENTS = CallContents(
    input=(CallMessage("system", "Be short."), CallMessage("user", "My card has not come.")),
    output="It is on its way.",
    variables={"ticket": "My card has not come."},
)


def span(number: int) -> str:
    """Return the id of a span."""
    return f"{number:016x}"


def call(number: int, prompt: PromptMark | None = TRIAGE, **values: Any) -> ModelCall:
    """Return a call of 200 ms with contents and tokens; `number` identifies it, and `under` is its parent's number."""
    parent, trace = values.pop("under", None), values.pop("trace_id", TRACE)
    defaults: dict[str, Any] = {
        "key": f"{trace}{span(number)}",
        "at": AT,
        "trace_id": trace,
        "span_id": span(number),
        "parent_span_id": None if parent is None else span(parent),
        "latency_ms": 200.0,
        "model": "small",
        "tokens": TokenCounts(input=100, output=20),
        "prompt": prompt,
        "contents": CONTENTS,
    }
    return ModelCall(**defaults | values)


def link(number: int, under: int | None = None, prompt: PromptMark | None = None, trace_id: str = TRACE) -> SpanLink:
    """Return a span that is no call."""
    return SpanLink(trace_id, span(number), None if under is None else span(under), prompt)


def calls(*reported: ModelCall) -> TrafficReading:
    """Return the reading of a request with some calls."""
    return TrafficReading(calls=reported)


def links(*spans: SpanLink) -> TrafficReading:
    """Return the reading of a request with spans that are no calls."""
    return TrafficReading(links=spans)


def draw_from(*values: float) -> Callable[[], float]:
    """Return a source of random numbers that a test chose; after the last one, it is used again."""
    remaining = list(values)

    def draw() -> float:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return draw
