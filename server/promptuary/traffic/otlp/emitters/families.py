"""The families in the order in which they are asked: the emitter's own kind before the conventions that many share."""

from collections.abc import Callable

from promptuary.traffic.otlp.emitters import ai_sdk, genai, langfuse, langsmith, mlflow, openinference
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.wire.spans import TraceSpan

Family = tuple[Callable[[TraceSpan], bool | None], Callable[[TraceSpan], CallFacts]]
FAMILIES: tuple[Family, ...] = tuple(
    (module.is_call, module.read) for module in (openinference, langfuse, mlflow, langsmith, ai_sdk, genai)
)


def read_call(span: TraceSpan) -> CallFacts | None:
    """Return what a span reports of a model call; None where it is none, such as a sum over calls."""
    for is_call, read in FAMILIES:
        decision = is_call(span)
        if decision is not None:
            return read(span) if decision else None
    return None
