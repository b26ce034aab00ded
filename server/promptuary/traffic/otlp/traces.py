"""A request with spans, read into model calls."""

from promptuary.traffic.calls.model_call import Evaluation, ModelCall, SpanLink, TrafficReading
from promptuary.traffic.otlp.attribute_values import first_text
from promptuary.traffic.otlp.attribution import SpanTree
from promptuary.traffic.otlp.call_assembly import CONVERSATION, USER, assemble_call
from promptuary.traffic.otlp.emitters.families import read_call
from promptuary.traffic.otlp.evaluation_events import EVALUATION, read_evaluation
from promptuary.traffic.otlp.partial_success import rejection_message
from promptuary.traffic.otlp.prompt_marks import read_variables
from promptuary.traffic.otlp.repeated_calls import merge_repeated
from promptuary.traffic.otlp.wire import json_form, protobuf
from promptuary.traffic.otlp.wire.spans import Decoded, ReadingLimits, TraceSpan, Unreadable, no_events


def read_traces(body: bytes, is_json: bool, limits: ReadingLimits | None = None) -> TrafficReading:
    """Read an `ExportTraceServiceRequest` of any emitter.

    Args:
        body: of the request, decompressed.
        is_json: whether it is JSON; else it is protobuf.
        limits: of what is read.

    Raises:
        MalformedBody: for a body that cannot be decoded. Spans that cannot be read are counted in the answer.
    """
    limits = limits or ReadingLimits()
    decoded = (json_form if is_json else protobuf).decode_traces(body, limits)
    calls: list[ModelCall] = []
    evaluations: list[Evaluation] = []
    for span in decoded.spans:
        try:
            facts = read_call(span)
            if facts is not None:
                calls.append(assemble_call(span, facts, limits.contents))
        except Unreadable as error:
            decoded.reject(str(error))
            continue
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            # A form that nobody has seen yet is no reason to lose the other calls, which would be sent again and again.
            decoded.reject("attributes of an unknown form")
            continue
        if span.read_events is not no_events:
            evaluations += _evaluations(span, decoded)
    tree = SpanTree(decoded.spans)
    calls = merge_repeated([tree.attribute(call) for call in calls], tree)
    return TrafficReading(
        calls=calls,
        links=_links(decoded, tree, {call.key for call in calls}),
        evaluations=evaluations,
        rejected=sum(decoded.errors.values()),
        message=rejection_message(decoded.errors, "spans"),
    )


def _links(decoded: Decoded, tree: SpanTree, keys: set[str]) -> list[SpanLink]:
    """Return the spans that are no calls, or second reports of one."""
    links = []
    for span in decoded.spans:
        if f"{span.trace_id}{span.span_id}" not in keys:
            mark = tree.mark(span)
            variables = read_variables(span.attributes) if mark is not None and span.is_complete else None
            user, conversation = first_text(span.attributes, *USER), first_text(span.attributes, *CONVERSATION)
            ids = span.trace_id, span.span_id, span.parent_span_id
            links.append(SpanLink(*ids, mark, variables, user, conversation))
    return links


def _evaluations(span: TraceSpan, decoded: Decoded) -> list[Evaluation]:
    """Return the evaluations that a span has as events, from before they were log records."""
    evaluations = []
    for event in span.read_events():
        if event.name == EVALUATION:
            try:
                evaluations.append(read_evaluation(event.attributes, (span.trace_id, span.span_id), event.time or span.end))
            except Unreadable as error:
                decoded.reject(str(error))
    return evaluations
