"""Evaluations of calls (`gen_ai.evaluation.result`), which are feedback."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import Evaluation
from promptuary.traffic.otlp.attribute_values import clean, first_text
from promptuary.traffic.otlp.call_assembly import read_time
from promptuary.traffic.otlp.wire.spans import Unreadable

EVALUATION = "gen_ai.evaluation.result"
EXPLANATION_LIMIT = 10_000


def read_evaluation(attributes: Mapping[str, Any], span: tuple[str, str], time: int) -> Evaluation:
    """Return an evaluation.

    Args:
        attributes: of the event.
        span: the trace's and the span's id; empty where the event has none.
        time: nanoseconds since 1970.

    Raises:
        Unreadable: where there is neither a score from 0 to 1 nor a label, or no name, time or call.
    """
    name = first_text(attributes, "gen_ai.evaluation.name")
    if name is None:
        raise Unreadable("an evaluation without gen_ai.evaluation.name")
    value = attributes.get("gen_ai.evaluation.score.value")
    label = first_text(attributes, "gen_ai.evaluation.score.label")
    if value is not None and (not isinstance(value, int | float) or not 0 <= value <= 1):
        raise Unreadable("an evaluation whose gen_ai.evaluation.score.value is not from 0 to 1")
    if value is None and label is None:
        raise Unreadable("an evaluation without gen_ai.evaluation.score.value and score.label")
    response_id = first_text(attributes, "gen_ai.response.id")
    trace_id, span_id = span
    if response_id is None and not span_id:
        raise Unreadable("an evaluation without a span and without gen_ai.response.id")
    explanation = attributes.get("gen_ai.evaluation.explanation")
    return Evaluation(
        name=name,
        value=None if value is None else float(value),
        label=label,
        explanation=clean(explanation[:EXPLANATION_LIMIT]) if isinstance(explanation, str) else None,
        response_id=response_id,
        trace_id=trace_id or None,
        span_id=span_id or None,
        at=read_time(time),
    )
