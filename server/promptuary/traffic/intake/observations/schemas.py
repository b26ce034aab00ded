"""The form of `POST /v1/observations`: calls in the field names of the answers. Unknown fields are refused."""

from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints

from promptuary.core.wire import RequestModel, Timestamp
from promptuary.traffic.calls.model_call import CallStatus

OBSERVATIONS_LIMIT = 1000
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ShortName = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Hex16 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class TokensIn(RequestModel):
    """Tokens of a call; `input` includes the cached ones, `output` the reasoning ones."""

    input: Count | None = None
    output: Count | None = None
    cached: Count | None = None
    reasoning: Count | None = None


class ToolCallIn(RequestModel):
    """A tool call of the answer or of a message."""

    id: str | None = None
    name: str | None = None
    arguments: JsonValue = None


class MessageIn(RequestModel):
    """A message of the input: a text, a list of content parts, or a tool's result."""

    role: ShortName
    content: JsonValue = None
    name: str | None = None
    tool_calls: list[ToolCallIn] | None = None
    tool_call_id: str | None = None


class CallErrorIn(RequestModel):
    """The error with which a call ended."""

    type: ShortName | None = None
    message: str | None = None


class ObservationIn(RequestModel):
    """A call. What is not known is left out, or null; `id` identifies it when the same call is sent again."""

    id: Identifier
    prompt: ShortName | None = None
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    digest: Identifier | None = None
    label: Identifier | None = None
    variant: Identifier | None = None
    variables: dict[str, JsonValue] | None = None
    provider: ShortName | None = None
    model: ShortName | None = None
    response_model: ShortName | None = None
    response_id: ShortName | None = None
    operation: ShortName | None = None
    at: Timestamp
    latency_ms: Amount | None = None
    first_token_ms: Amount | None = None
    status: Annotated[CallStatus, Field(strict=False)] = CallStatus.OK
    error: CallErrorIn | None = None
    tokens: TokensIn = TokensIn()
    cost: Amount | None = None
    input: list[MessageIn] | None = None
    output: str | None = None
    tool_calls: list[ToolCallIn] | None = None
    finish: ShortName | None = None
    conversation: ShortName | None = None
    user: ShortName | None = None
    trace_id: Hex32 | None = None
    span_id: Hex16 | None = None
    parent_span_id: Hex16 | None = None
    emitter: ShortName = "promptuary"
    service: ShortName | None = None


class ObservationsIn(RequestModel):
    """A batch of calls."""

    observations: Annotated[list[ObservationIn], Field(min_length=1, max_length=OBSERVATIONS_LIMIT)]


def request_schema() -> dict[str, Any]:
    """Return the JSON schema of the body, with each definition in the place that refers to it, as OpenAPI needs it here."""
    schema = ObservationsIn.model_json_schema()
    definitions = schema.pop("$defs")

    def inlined(value: Any) -> Any:
        if isinstance(value, list):
            return [inlined(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inlined(definitions[value["$ref"].rpartition("/")[2]])
        return {name: inlined(item) for name, item in value.items()}

    whole: dict[str, Any] = inlined(schema)
    return whole
