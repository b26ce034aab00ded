"""The `mcp` SDK's server, which speaks the protocol: each method is answered by the request's `McpPrompts`, in a thread.

The SDK takes over a second to import, so it is imported at the first request, in a thread.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from promptuary.access.auth.request import REQUEST_JSON
from promptuary.compat.mcp.parameter_errors import INVALID_PARAMS, NamingSend
from promptuary.compat.mcp.prompts import McpPrompts
from promptuary.core.errors import Erased, Forbidden, Invalid, NotFound, PromptuaryError, Unavailable
from promptuary.release import __version__

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError

PROMPTS = "promptuary.mcp_prompts"
"""The scope key of the request's `McpPrompts`."""
INVALID_REQUEST, INTERNAL_ERROR = -32600, -32603
"""JSON-RPC's error codes."""
INSTRUCTIONS = (
    "Versioned prompts of one project. prompts/list has those with the connection's label (production, or ?label= of the "
    "address). In prompts/get, `name@label` and `name@3` select another label or a version. Arguments are texts; one that is "
    "declared as a number, list or object is written as JSON."
)
log = structlog.get_logger(__name__)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request of the protocol; `scope` has the request's `McpPrompts` under `PROMPTS`, and its parsed body.

    A stateless session keeps nothing between requests, so each request has its own, and none starts with the process.
    """
    if not _server.cache_info().currsize:
        await run_in_threadpool(_server)
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    sessions = StreamableHTTPSessionManager(_server(), json_response=True, stateless=True)
    async with sessions.run():
        await sessions.handle_request(scope, receive, NamingSend(send, scope[REQUEST_JSON], _parameter_model))


@cache
def _server() -> "Server":
    """Import the SDK, and build the process's server."""
    from mcp.server.lowlevel import Server

    return Server(
        "promptuary",
        version=__version__,
        title="Promptuary",
        instructions=INSTRUCTIONS,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_completion=_complete,
    )


def _parameter_model(method: str) -> type[BaseModel] | None:
    """Return the SDK's model of a method's parameters, None for a method without one."""
    from mcp import types

    models: dict[str, type[BaseModel]] = {
        "prompts/get": types.GetPromptRequestParams,
        "prompts/list": types.PaginatedRequestParams,
        "completion/complete": types.CompleteRequestParams,
    }
    return models.get(method)


async def _list_prompts(context: Any, params: Any) -> Any:
    return await _respond(context, lambda prompts: prompts.list(params.cursor if params else None))


async def _get_prompt(context: Any, params: Any) -> Any:
    return await _respond(context, lambda prompts: prompts.get(params.name, params.arguments or {}, context.protocol_version))


async def _complete(context: Any, params: Any) -> Any:
    name = getattr(params.ref, "name", None)
    if name is None:
        raise _error(INVALID_PARAMS, "only the arguments of prompts are completed: send a reference of the type ref/prompt")
    argument = params.argument
    return await _respond(context, lambda prompts: prompts.complete(name, argument.name, argument.value))


async def _respond(context: Any, method: Callable[[McpPrompts], dict[str, Any]]) -> dict[str, Any]:
    """Call a method in a thread, and translate its errors: each has a message and our code, and none a traceback."""
    prompts: McpPrompts = context.request.scope[PROMPTS]
    try:
        return await run_in_threadpool(method, prompts)
    except PromptuaryError as error:
        raise _protocol_error(error) from None
    except Exception as error:
        log.error("unexpected error", method=context.method, exc_info=error)
        raise _error(INTERNAL_ERROR, "something failed in the server; its log has the error") from None


def _protocol_error(error: PromptuaryError) -> "MCPError":
    """Build the protocol's error; its `data` has our code, the field errors, and the seconds until a retry is useful."""
    data: dict[str, Any] = {"code": error.code}
    message = error.message
    if isinstance(error, Invalid) and error.field_errors:
        data["errors"] = [{"path": field_error.path, "message": field_error.message} for field_error in error.field_errors]
        message = str(error)
    if isinstance(error, Unavailable):
        data["retry_after"] = error.retry_after
    if isinstance(error, Invalid | NotFound | Erased):
        return _error(INVALID_PARAMS, message, data)
    return _error(INVALID_REQUEST if isinstance(error, Forbidden) else INTERNAL_ERROR, message, data)


def _error(code: int, message: str, data: dict[str, Any] | None = None) -> "MCPError":
    from mcp.shared.exceptions import MCPError

    return MCPError(code, message, data)
