"""The routes of the intake: calls in the own form.

The body is passed on as it came; it is decoded where the intake runs. A request needs no `Idempotency-Key`: each call has an
identity, and is counted once however often it comes.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from promptuary.access.auth.authentication import KeyPlace
from promptuary.access.auth.body import receive_body
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller
from promptuary.core.errors import UnsupportedMediaType
from promptuary.core.wire import ResponseModel
from promptuary.traffic.intake.gateway import IntakeGateway
from promptuary.traffic.intake.observations.schemas import request_schema
from promptuary.traffic.intake.request import IntakeRequest, RequestKind

_JSON = "application/json"
_PROTOBUF = "application/x-protobuf"
_OBSERVATIONS_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {_JSON: {"schema": request_schema()}}}}


class _IntakeRoute(IdempotentRoute):
    """A route whose body is not read as JSON."""

    reads_body = False


router = APIRouter(prefix="/v1", route_class=_IntakeRoute)
Sender = Annotated[Caller, authorize_caller(Scope.TRAFFIC_SEND, key_place=KeyPlace.X_API_KEY)]


class AcceptedOut(ResponseModel):
    """What was taken of a batch."""

    accepted: Annotated[int, Field(description="calls that were counted")]
    repeated: Annotated[int, Field(description="calls that had come before, and are counted once")]
    unattributed: Annotated[int, Field(description="of the accepted calls, those without a prompt of this project")]


@router.post("/observations", status_code=202, openapi_extra=_OBSERVATIONS_BODY)
async def take_observations(request: Request, caller: Sender) -> AcceptedOut:
    """Take a batch of calls: all of them or none. Each is counted, and a random sample of their contents is kept."""
    is_json, is_gzip, body = await _receive(request)
    if not is_json:
        raise UnsupportedMediaType("send the calls as `Content-Type: application/json`")
    gateway: IntakeGateway = request.app.state.intake
    report = await gateway.take(IntakeRequest(caller.project, RequestKind.OBSERVATIONS, body, is_json, is_gzip))
    return AcceptedOut(accepted=report.calls, repeated=report.repeats, unattributed=report.unattributed)


async def _receive(request: Request) -> tuple[bool, bool, bytes]:
    """Return whether a body is JSON, whether it is compressed, and its bytes.

    Raises:
        UnsupportedMediaType, BodyTooLarge, MalformedBody: for a body that is not accepted, or does not come.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (_JSON, _PROTOBUF):
        raise UnsupportedMediaType(f"send the body as `Content-Type: {_PROTOBUF}` or `{_JSON}`")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise UnsupportedMediaType("send the body plain, or with `Content-Encoding: gzip`")
    body = await receive_body(request, request.app.state.settings.traffic_body_limit)
    return media_type == _JSON, encoding == "gzip", body
