"""The routes of the intake: OTLP over HTTP, Langfuse's path of it, and calls in the own form.

The body is passed on as it came; it is decoded where the intake runs. A request needs no `Idempotency-Key`: each call has an
identity, and is counted once however often it comes.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access.auth.authentication import KeyPlace
from promptuary.access.auth.body import receive_body
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller
from promptuary.core.errors import UnsupportedMediaType
from promptuary.core.wire import ResponseModel
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.intake.gateway import IntakeGateway
from promptuary.traffic.intake.observations.schemas import request_schema
from promptuary.traffic.intake.request import IntakeRequest, RequestKind
from promptuary.traffic.otlp.responses import JSON_TYPE, PROTOBUF_TYPE, logs_response, metrics_response, traces_response

LANGFUSE_TRACES = "/api/public/otel/v1/traces"
_OTLP_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            PROTOBUF_TYPE: {"schema": {"type": "string", "format": "binary", "description": "a request of OTLP, as protobuf"}},
            JSON_TYPE: {"schema": {"type": "object", "description": "the same in OTLP's JSON"}},
        },
    }
}
_OBSERVATIONS_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": request_schema()}}}}


class _IntakeRoute(IdempotentRoute):
    """A route whose body is not read as JSON."""

    reads_body = False


router = APIRouter(prefix="/v1", tags=["traffic"], route_class=_IntakeRoute)
langfuse_router = APIRouter(tags=["langfuse"], route_class=_IntakeRoute)
Sender = Annotated[Caller, authorize_caller(Scope.TRAFFIC_SEND, key_place=KeyPlace.X_API_KEY)]
LangfuseSender = Annotated[Caller, authorize_caller(Scope.TRAFFIC_SEND, key_place=KeyPlace.BASIC)]


class AcceptedOut(ResponseModel):
    """What was taken of a batch."""

    accepted: Annotated[int, Field(description="calls that were counted")]
    repeated: Annotated[int, Field(description="calls that had come before, and are counted once")]
    unattributed: Annotated[int, Field(description="of the accepted calls, those without a known prompt or version")]
    reasons: Annotated[
        dict[str, int],
        Field(description="the unattributed calls by reason: no_prompt, unknown_prompt, no_version, unknown_version"),
    ]


@router.post("/otlp/v1/traces", openapi_extra=_OTLP_BODY, response_class=Response)
async def take_traces(request: Request, caller: Sender) -> Response:
    """Take spans, as OTLP over HTTP sends them: model calls are counted, and a random sample of their contents is kept."""
    return await _take_otlp(request, caller, RequestKind.TRACES)


@langfuse_router.post(LANGFUSE_TRACES, openapi_extra=_OTLP_BODY, response_class=Response)
async def take_langfuse_traces(request: Request, caller: LangfuseSender) -> Response:
    """Take spans at the path of Langfuse's SDK."""
    return await _take_otlp(request, caller, RequestKind.TRACES)


@router.post("/otlp/v1/logs", openapi_extra=_OTLP_BODY, response_class=Response)
async def take_logs(request: Request, caller: Sender) -> Response:
    """Take log records: messages of model calls are joined with their calls, and evaluations become feedback."""
    return await _take_otlp(request, caller, RequestKind.LOGS)


@router.post("/otlp/v1/metrics", openapi_extra=_OTLP_BODY, response_class=Response)
async def take_metrics(request: Request, caller: Sender) -> Response:
    """Accept metrics, of which nothing is stored: the calls themselves are counted."""
    is_json, _, _ = await _receive(request)
    return Response(metrics_response(is_json), media_type=JSON_TYPE if is_json else PROTOBUF_TYPE)


@router.post("/observations", status_code=202, openapi_extra=_OBSERVATIONS_BODY)
async def take_observations(request: Request, caller: Sender) -> AcceptedOut:
    """Take a batch of calls: all of them or none. Each is counted, and a random sample of their contents is kept."""
    is_json, is_gzip, body = await _receive(request)
    if not is_json:
        raise UnsupportedMediaType("send the calls as `Content-Type: application/json`")
    gateway: IntakeGateway = request.app.state.intake
    report = await gateway.take(IntakeRequest(caller.project, RequestKind.OBSERVATIONS, body, is_json, is_gzip))
    reasons = dict(report.unattributed)
    return AcceptedOut(accepted=report.calls, repeated=report.repeats, unattributed=sum(reasons.values()), reasons=reasons)


async def _take_otlp(request: Request, caller: Caller, kind: RequestKind) -> Response:
    is_json, is_gzip, body = await _receive(request)
    gateway: IntakeGateway = request.app.state.intake
    report = await gateway.take(IntakeRequest(caller.project, kind, body, is_json, is_gzip))
    answer = logs_response if kind is RequestKind.LOGS else traces_response
    rejected = TrafficReading(rejected=report.rejected, message=report.message)
    return Response(answer(rejected, is_json), media_type=JSON_TYPE if is_json else PROTOBUF_TYPE)


async def _receive(request: Request) -> tuple[bool, bool, bytes]:
    """Return whether a body is JSON, whether it is compressed, and its bytes.

    Raises:
        UnsupportedMediaType, BodyTooLarge, MalformedBody: for a body that is not accepted, or does not come.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (JSON_TYPE, PROTOBUF_TYPE):
        raise UnsupportedMediaType(f"send the body as `Content-Type: {PROTOBUF_TYPE}` or `{JSON_TYPE}`")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise UnsupportedMediaType("send the body plain, or with `Content-Encoding: gzip`")
    body = await receive_body(request, request.app.state.settings.traffic_body_limit)
    return media_type == JSON_TYPE, encoding == "gzip", body
