"""The reading of calls in the form of `POST /v1/observations`."""

from collections.abc import Sequence

from pydantic import ValidationError

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import ERRORS_LIMIT, parse_strict_json
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.traffic.calls.model_call import (
    Attribution,
    CallContents,
    CallMessage,
    ModelCall,
    PromptMark,
    ReportedToolCall,
    TokenCounts,
    TrafficReading,
)
from promptuary.traffic.intake.observations.schemas import MessageIn, ObservationIn, ObservationsIn, ToolCallIn


def read_observations(body: bytes) -> TrafficReading:
    """Return the calls of a body; either all of them are accepted, or none.

    Raises:
        MalformedBody: for a body that is not JSON.
        InvalidRequest: with each field that is wrong.
    """
    value = parse_strict_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the request cannot be used", [FieldError("", "the body must be a JSON object")])
    try:
        batch = ObservationsIn.model_validate(value)
    except ValidationError as error:
        errors = field_errors_from(error)[: ERRORS_LIMIT + 1]
        raise InvalidRequest("the request has fields that are not accepted", errors) from None
    return TrafficReading(calls=[_call(observation) for observation in batch.observations], is_whole=True)


def _call(observation: ObservationIn) -> ModelCall:
    mark = _mark(observation)
    tokens = observation.tokens
    error = observation.error
    return ModelCall(
        key=observation.id,
        at=observation.at,
        response_id=observation.response_id,
        trace_id=observation.trace_id,
        span_id=observation.span_id,
        parent_span_id=observation.parent_span_id,
        latency_ms=observation.latency_ms,
        first_token_ms=observation.first_token_ms,
        status=observation.status,
        error_type=None if error is None else error.type,
        finish=observation.finish,
        provider=observation.provider,
        model=observation.model,
        response_model=observation.response_model,
        operation=observation.operation,
        tokens=TokenCounts(tokens.input, tokens.output, tokens.cached, tokens.reasoning),
        cost=observation.cost,
        prompt=mark,
        attribution=None if mark is None else Attribution.SPAN,
        conversation=observation.conversation,
        user=observation.user,
        emitter=observation.emitter,
        service=observation.service,
        contents=_contents(observation),
    )


def _mark(observation: ObservationIn) -> PromptMark | None:
    if observation.prompt is None:
        return None
    version = None if observation.version is None else str(observation.version)
    return PromptMark(observation.prompt, version, observation.label, observation.variant, observation.digest)


def _contents(observation: ObservationIn) -> CallContents:
    return CallContents(
        input=None if observation.input is None else [_message(message) for message in observation.input],
        output=observation.output,
        tool_calls=_tool_calls(observation.tool_calls),
        variables=observation.variables,
        error_message=None if observation.error is None else observation.error.message,
    )


def _message(message: MessageIn) -> CallMessage:
    return CallMessage(message.role, message.content, _tool_calls(message.tool_calls), message.tool_call_id)


def _tool_calls(calls: Sequence[ToolCallIn] | None) -> Sequence[ReportedToolCall]:
    return tuple(ReportedToolCall(call.id, call.name, call.arguments) for call in calls or ())
