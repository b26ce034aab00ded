"""Wire models of the sample's calls."""

from datetime import datetime
from typing import Any

from promptuary.core.wire import ResponseModel
from promptuary.traffic.calls.contents_codec import message_json, tool_call_json
from promptuary.traffic.calls.model_call import Attribution, CallContents, CallStatus
from promptuary.traffic.sample.observation import Observation
from promptuary.traffic.tables import Stratum


class ObservedTokens(ResponseModel):
    """Tokens of a call as it reports them; `input` includes the cached ones, `output` the reasoning ones."""

    input: int | None
    output: int | None
    cached: int | None
    reasoning: int | None


class ObservedError(ResponseModel):
    """The error with which a call ended."""

    type: str | None
    message: str | None


class ObservedToolCall(ResponseModel):
    """A tool call of the answer; `arguments` is the parsed JSON, or the text where it is none."""

    id: str | None
    name: str | None
    arguments: Any


class ObservedFeedback(ResponseModel):
    """Feedback on the call; `value` is from 0 to 1."""

    id: str
    name: str
    value: float | None
    label: str | None
    comment: str
    correction: str | None
    source: str
    at: datetime


class ObservationOut(ResponseModel):
    """A call of the sample. What the call did not report is null, never 0.

    `probability` is the one with which a call such as this one is in the sample: weight it by its reciprocal. `attributed` is
    where the prompt was named. `user` is the keyed hash of the end user's id. `redacted` counts the passages that were
    removed before the call was stored. `model` was requested; `response_model` answered.
    """

    id: str
    prompt: str | None
    version: int | None
    label: str | None
    variant: str | None
    attributed: Attribution | None
    provider: str | None
    model: str | None
    response_model: str | None
    operation: str | None
    at: datetime
    latency_ms: float | None
    first_token_ms: float | None
    status: CallStatus
    error: ObservedError | None
    tokens: ObservedTokens
    cost: float | None
    variables: dict[str, Any] | None
    input: list[dict[str, Any]] | None
    output: str | None
    tool_calls: list[ObservedToolCall]
    finish: str | None
    conversation: str | None
    user: str | None
    emitter: str
    service: str | None
    stratum: Stratum
    probability: float
    redacted: int
    replayable: bool
    feedback: list[ObservedFeedback]

    @classmethod
    def of(cls, observation: Observation) -> "ObservationOut":
        """Build the wire model."""
        details = observation.details
        contents = observation.contents or CallContents()
        names = cls.model_fields.keys()
        known = {name: value for name, value in vars(observation).items() if name in names and name != "feedback"}
        known |= {name: value for name, value in vars(details).items() if name in names and name != "tokens"}
        return cls(
            **known,
            attributed=details.attribution,
            error=_error(observation, contents),
            tokens=ObservedTokens.model_validate(details.tokens),
            variables=None if contents.variables is None else dict(contents.variables),
            input=None if contents.input is None else [message_json(message) for message in contents.input],
            output=contents.output,
            tool_calls=[ObservedToolCall(**tool_call_json(call)) for call in contents.tool_calls],
            replayable=observation.is_replayable,
            feedback=[ObservedFeedback.model_validate(feedback) for feedback in observation.feedback],
        )


def _error(observation: Observation, contents: CallContents) -> ObservedError | None:
    if observation.status != CallStatus.ERROR and observation.details.error_type is None and contents.error_message is None:
        return None
    return ObservedError(type=observation.details.error_type, message=contents.error_message)
