"""Routes whose body proves who sends the request: what an issuer signed, or a code of an identity provider.

They take no key, so anybody can send a body to them; only a small one is read.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from promptuary.access.auth.body import check_declared_length
from promptuary.access.auth.declared_parts import refuse_undeclared_parts
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.core.errors import BodyTooLarge

BODY_LIMIT = 48 * 1024


class SelfAuthenticatedRoute(IdempotentRoute):
    """A route without a key that reads at most 48 KiB; retries are not replayed, since nothing is stored for strangers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a route with a body, behind the limit."""
        handle = super().get_route_handler()

        async def handle_small(request: Request) -> Response:
            check_declared_length(request.headers.get("content-length", ""), BODY_LIMIT)
            refuse_undeclared_parts(request)
            return await handle(Request(request.scope, _limited(request.receive)))

        return handle_small


def _limited(receive: Receive) -> Receive:
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT:
            raise BodyTooLarge(f"the body is over the limit of {BODY_LIMIT} bytes; send less at a time")
        return message

    return receive_within_limit
