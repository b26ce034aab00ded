"""The route of the Model Context Protocol. Authentication, Host and body are checked in front of it, as for every route."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.request import REQUEST_BODY, REQUEST_JSON
from promptuary.access.auth.routing import authorize_caller
from promptuary.access.role import Scope as AccessScope
from promptuary.access.unit_of_work import Caller
from promptuary.compat.mcp.prompts import McpPrompts
from promptuary.compat.mcp.schemas import JsonRpcRequest, JsonRpcResponse
from promptuary.compat.mcp.server import PROMPTS, answer
from promptuary.context.rendering import ContextRenderer
from promptuary.core.errors import Forbidden, MalformedBody
from promptuary.prompt.name import DEFAULT_LABEL, Name

router = APIRouter(tags=["mcp"], route_class=IdempotentRoute)
_JSON = {"application/json": {"schema": JsonRpcResponse.model_json_schema(ref_template="#/components/schemas/{model}")}}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


class _ProtocolResponse(Response):
    """A response that the SDK writes.

    Every answer is JSON, so the `Accept` header decides nothing; the SDK would refuse a request that does not name both types.
    """

    def __init__(self, prompts: McpPrompts) -> None:
        super().__init__()
        self._prompts = prompts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] != b"accept"]
        headers.append((b"accept", b"application/json, text/event-stream"))
        await answer({**scope, "headers": headers, PROMPTS: self._prompts}, _replay(scope[REQUEST_BODY], receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body again, which was read when the key had been checked."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


@router.post(
    "/mcp",
    response_model=JsonRpcResponse,
    responses={
        202: {"description": "a notification was taken"},
        400: {"description": "an error", "content": {**_JSON, **_PROBLEM}},
        404: {"description": "an unknown method", "content": {**_JSON, **_PROBLEM}},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": JsonRpcRequest.model_json_schema()}},
        }
    },
)
async def mcp(
    request: Request,
    caller: Annotated[Caller, authorize_caller(AccessScope.PROMPT_LOOKUP)],
    label: Annotated[Name, Query()] = DEFAULT_LABEL,
) -> Response:
    """Answer a request of the Model Context Protocol: `prompts/list`, `prompts/get`, `completion/complete`.

    `label` is the label of the connection: prompts that have it are listed, and a name alone means its version.
    """
    state: Any = request.app.state
    origin = request.headers.get("origin")
    if origin is not None and not state.hosts.allows(urlsplit(origin).netloc.encode("latin-1", "replace")):
        raise Forbidden("the Origin header names a host that this server does not answer for; see PROMPTUARY_ALLOWED_HOSTS")
    if REQUEST_JSON not in request.scope:
        raise MalformedBody("the body is empty; send a JSON-RPC request")
    renderer = ContextRenderer(state.retrieval, state.settings)
    return _ProtocolResponse(McpPrompts(state.database, state.clock, state.settings, renderer, caller, label))
