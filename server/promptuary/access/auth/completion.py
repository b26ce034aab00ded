"""Responses that are completed after the commit, by work that may take long."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from promptuary.access.auth.idempotency import complete_stored_response
from promptuary.access.unit_of_work import Caller


class CompletedResponse(Response):
    """A JSON response whose final body is computed after the unit of work has been committed.

    FastAPI closes the unit of work when the route has returned, and calls the response afterwards. The work therefore delays
    only this response: the transaction and its database slot have ended. A retry under the request's idempotency key gets the
    first body while the work runs, and the final one from then on.
    """

    media_type = "application/json"

    def __init__(
        self, request: Request, caller: Caller, first_body: str, status_code: int, complete: Callable[[], str]
    ) -> None:
        """Store what the response needs.

        Args:
            request: the request that is answered.
            caller: who sent it.
            first_body: the JSON that is stored with the write.
            status_code: the status of both bodies.
            complete: returns the final JSON; runs in a thread, and must not raise.
        """
        super().__init__(first_body, status_code)
        self._request = request
        self._caller = caller
        self._complete = complete

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compute the final body, and send it."""
        self.body = await run_in_threadpool(self._final_body)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

    def _final_body(self) -> bytes:
        body = self._complete()
        complete_stored_response(self._request, self._caller, body)
        return body.encode()
