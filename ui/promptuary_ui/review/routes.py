"""The routes that the review card calls: each passes one call on to the API, with the session of the browser's cookie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptuary_ui.client import ApiError
from promptuary_ui.request_checks import own_origins, sent_origin
from promptuary_ui.sign_in.routes import NOT_STORED, SignInRoutes, problem

PREFIX = "/review/api"
OWN_HEADER = "x-promptuary-review"
"""A header that no form and no foreign page can send without being asked by a preflight, which is not answered."""
BODY_LIMIT = 1024 * 1024
CALLS = (
    ("GET", "/queues"),
    ("GET", "/queues/{queue}"),
    ("POST", "/queues/{queue}/claims"),
    ("PUT", "/claims/{claim}/draft"),
    ("POST", "/claims/{claim}/submit"),
    ("POST", "/claims/{claim}/skip"),
    ("POST", "/claims/{claim}/defer"),
    ("POST", "/claims/{claim}/release"),
    ("POST", "/claims/{claim}/heartbeat"),
    ("GET", "/me/decisions"),
    ("POST", "/decisions/{decision}/undo"),
)
"""What the card may call; the paths are those of the API under `/v1`."""


@dataclass(frozen=True)
class ReviewRoutes:
    """The routes, beside those of the sign-in page, whose cookie and connections they use."""

    sign_in: SignInRoutes

    def routes(self) -> list[Route]:
        """Return every route."""
        return [Route(PREFIX + path, self._relay(method, path), methods=[method]) for method, path in CALLS]

    def _relay(self, method: str, path: str) -> Callable[[Request], Any]:
        """Return the route of one call; the API's answer is the route's, errors included."""

        async def relay(request: Request) -> Response:
            if self._is_foreign(request):
                return problem(403, "Decide on this server's own page.")
            token = self.sign_in.cookie.read(request.cookies)
            if token is None:
                return problem(401, "Your session has ended. Sign in again.")
            body = await _read_body(request)
            if body is None:
                return problem(413, f"The body is larger than {BODY_LIMIT} bytes.")
            address = "/v1" + path.format(**{name: quote(value, safe="") for name, value in request.path_params.items()})
            api = self.sign_in.api(request, token)
            try:
                answer = await run_in_threadpool(api.relay, method, address, request.url.query, body)
            except ApiError as error:
                return problem(503, error.sentence)
            if answer.is_success and not answer.content:
                return Response(status_code=answer.status_code, headers=NOT_STORED)
            content_type = answer.headers.get("content-type", "")
            if answer.is_redirect or "json" not in content_type:
                return problem(502, "The API's response is not JSON; check PROMPTUARY_URL.")
            return Response(answer.content, answer.status_code, NOT_STORED, content_type)

        return relay

    def _is_foreign(self, request: Request) -> bool:
        """Return whether a request comes from no page of this server. Browsers omit the origin of their own pages' GET."""
        origins = own_origins(request.scope, self.sign_in.public_origin)
        origin = sent_origin(request.scope)
        if OWN_HEADER not in request.headers or request.headers.get("content-type") != "application/json":
            return True
        if "origin" in request.headers or request.method != "GET":
            return origin not in origins
        return False


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)
