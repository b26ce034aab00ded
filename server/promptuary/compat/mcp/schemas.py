"""The wire models of JSON-RPC, for the OpenAPI document; the SDK validates what is in them."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from promptuary.core.wire import RequestModel, ResponseModel

Id = Annotated[str | int, Field(description="chosen by the client; a message without it is a notification")]


class JsonRpcRequest(RequestModel):
    """A request of the Model Context Protocol, for example `prompts/get`."""

    jsonrpc: Literal["2.0"]
    id: Id | None = None
    method: str
    params: dict[str, JsonValue] | None = None


class JsonRpcError(ResponseModel):
    """What is wrong: `code` by JSON-RPC; `data` has this server's own code and its field errors."""

    code: int
    message: str
    data: JsonValue = None


class JsonRpcResponse(ResponseModel):
    """A response: `result` or `error`."""

    jsonrpc: Literal["2.0"]
    id: str | int | None = None
    result: dict[str, Any] | None = None
    error: JsonRpcError | None = None
