"""Which parameters of a request the SDK refuses: its error reports that some are not valid, without their names or a reason."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.types import Message, Send

from promptuary.core.errors import InvalidRequest
from promptuary.prompt.errors import FieldError
from promptuary.prompt.validation_errors import field_errors_from

INVALID_PARAMS = -32602
"""JSON-RPC's error code."""
ParameterModel = Callable[[str], type[BaseModel] | None]
"""Returns the model of the parameters of a method, None for a method without one."""


class NamingSend:
    """Sends a response of the SDK; an error about parameters without any detail gets the names of the parameters."""

    def __init__(self, send: Send, request: Mapping[str, Any], model_of: ParameterModel) -> None:
        """Keep where the response goes, the request's JSON, and what returns the SDK's model of a method's parameters."""
        self._send = send
        self._request = request
        self._model_of = model_of
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message; the beginning of a response waits for its body, whose length it states."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            body = message.get("body", b"")
            if str(INVALID_PARAMS).encode() in body and not message.get("more_body"):
                body = self._with_names(body)
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                start = {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
                message = {**message, "body": body}
            await self._send(start)
        await self._send(message)

    def _with_names(self, body: bytes) -> bytes:
        response = json.loads(body)
        error = response.get("error")
        if not isinstance(error, dict) or error.get("code") != INVALID_PARAMS or error.get("data"):
            return body
        field_errors = self._field_errors()
        if not field_errors:
            return body
        error["message"] = f"the parameters are not valid: {'; '.join(map(str, field_errors))}"
        errors = [{"path": field_error.path, "message": field_error.message} for field_error in field_errors]
        error["data"] = {"code": InvalidRequest.code, "errors": errors}
        return json.dumps(response, ensure_ascii=False).encode("utf-8", "replace")

    def _field_errors(self) -> list[FieldError]:
        """Return what the SDK's model of the method's parameters refuses; no error repeats a value."""
        model = self._model_of(str(self._request.get("method")))
        try:
            if model is not None:
                model.model_validate(self._request.get("params") or {})
        except ValidationError as error:
            return [_with_remedy(field_error) for field_error in field_errors_from(error)]
        return []


def _with_remedy(field_error: FieldError) -> FieldError:
    if not field_error.path.startswith("arguments."):
        return field_error
    remedy = "must be a text; a number, true, false, a list or an object is written as JSON in it"
    return FieldError(field_error.path, remedy)
