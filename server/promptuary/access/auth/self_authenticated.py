"""Routes whose body proves who sends the request: what an issuer signed, or a code of an identity provider.

They take no key, so anybody can send a body to them; only a small one is read.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from promptuary.access.auth.declared_parts import refuse_undeclared_parts
from promptuary.access.auth.idempotency import IdempotentRoute


class SelfAuthenticatedRoute(IdempotentRoute):
    """A route without a key that reads at most 48 KiB; retries are not replayed, since nothing is stored for strangers."""

    body_limit = 48 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, behind the check of the parameters, which other routes make once the caller is known."""
        handle = super().get_route_handler()

        async def handle_declared(request: Request) -> Response:
            refuse_undeclared_parts(request)
            return await handle(request)

        return handle_declared
