"""What a request reports that is out of bounds is refused: in the own form with the whole request, else by itself."""

from collections import Counter
from dataclasses import replace

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import ERRORS_LIMIT
from promptuary.traffic.calls.bounds import TimeBounds, bounds_error
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.otlp.partial_success import rejection_message


def within_bounds(reading: TrafficReading, times: TimeBounds) -> TrafficReading:
    """Return a reading without the calls and evaluations that are out of bounds, which are counted as rejected.

    Raises:
        InvalidRequest: for calls in the own form, of which either all are accepted, or none.
    """
    call_errors = [bounds_error(call, times) for call in reading.calls]
    if reading.is_whole:
        field_errors = [
            FieldError(f"observations.{index}.{error[0]}", error[1])
            for index, error in enumerate(call_errors)
            if error is not None
        ]
        if field_errors:
            raise InvalidRequest("the request has values that are not accepted", field_errors[: ERRORS_LIMIT + 1])
    time_errors = [times.error(evaluation.at) for evaluation in reading.evaluations]
    reasons = Counter(f"{error[0]} {error[1]}" for error in call_errors if error is not None)
    reasons.update(f"at {error}" for error in time_errors if error is not None)
    if not reasons:
        return reading
    messages = [reading.message, rejection_message(reasons, "calls or evaluations")]
    return replace(
        reading,
        calls=[call for call, error in zip(reading.calls, call_errors, strict=True) if error is None],
        evaluations=[item for item, error in zip(reading.evaluations, time_errors, strict=True) if error is None],
        rejected=reading.rejected + reasons.total(),
        message="; ".join(message for message in messages if message),
    )
