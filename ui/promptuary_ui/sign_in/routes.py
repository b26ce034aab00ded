"""The routes of the sign-in page; they are the only ones that set the session's cookie."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from promptuary_ui.client import Api, ApiError
from promptuary_ui.request_checks import own_origins, sent_origin
from promptuary_ui.sign_in.cookie import SessionCookie

HERE = Path(__file__).parent
OWN_HEADER = "x-promptuary-sign-in"
"""A header that no form and no foreign page can send without being asked by a preflight, which is not answered."""
BODY_LIMIT = 2048
USER_AGENT_LIMIT = 200
FILES = {"page.js": "text/javascript", "page.css": "text/css"}
NOT_STORED = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class SignInRoutes:
    """The routes, with what they need.

    Attributes:
        cookie: the session's cookie.
        public_origin: the origin of the pages behind a proxy, or None.
        connection: returns the connections to the API.
    """

    cookie: SessionCookie
    public_origin: str | None
    connection: Callable[[], httpx.Client]

    def routes(self) -> list[Route]:
        """Return every route."""
        return [
            Route("/sign-in", _page),
            Route("/review", _review),  # the first page has no path of its own, and links to this one are sent around
            Route("/review/", _review),
            Route("/sign-in/session", self.read_session, methods=["GET"]),
            Route("/sign-in/session", self.open_session, methods=["POST"]),
            Route("/sign-in/mark.svg", _mark),
            *(Route(f"/sign-in/{name}", _file(name)) for name in FILES),
        ]

    def api(self, request: Request, credential: str) -> Api:
        """Return the API on behalf of a browser's credential; the API learns the browser's address and name."""
        forwarded = {"User-Agent": request.headers.get("user-agent", "")[:USER_AGENT_LIMIT]}
        if request.client is not None:
            forwarded["X-Forwarded-For"] = request.client.host
        return Api(self.connection(), credential, forwarded)

    async def read_session(self, request: Request) -> Response:
        """Return whether the browser's session is open; delete a cookie whose session is not."""
        token = self.cookie.read(request.cookies)
        try:
            caller = await run_in_threadpool(self.api(request, token).whoami) if token else None
        except ApiError as error:
            if not error.unauthenticated:
                return problem(503, error.sentence)
            caller = None
        try:
            provider = None if caller else await run_in_threadpool(self.api(request, "").provider_name)
        except ApiError:  # the form is shown without it
            provider = None
        response = JSONResponse({"signed_in": caller is not None, "provider": provider}, headers=NOT_STORED)
        if token and caller is None:
            response.headers.append("Set-Cookie", self.cookie.deletion())
        return response

    async def open_session(self, request: Request) -> Response:
        """Open a session with a key or a one-time code, and store its token in the cookie."""
        if sent_origin(request.scope) not in own_origins(request.scope, self.public_origin):
            return problem(403, "Sign in on this server's own page.")
        if OWN_HEADER not in request.headers or request.headers.get("content-type") != "application/json":
            return problem(403, "Sign in on this server's own page.")
        credential = await _credential(request)
        if credential is None:
            return problem(400, 'The body must be JSON: {"credential": "pmt_…"}.')
        try:
            opened = await run_in_threadpool(self.api(request, credential).open_session)
        except ApiError as error:
            return problem(error.status if 400 <= error.status < 500 else 503, error.sentence)
        response = JSONResponse({"name": opened.name}, headers=NOT_STORED)
        response.headers.append("Set-Cookie", self.cookie.header(opened.token, opened.expires_at))
        return response


def problem(status: int, detail: str) -> JSONResponse:
    """Return an error for the page's script."""
    return JSONResponse({"detail": detail}, status_code=status, headers=NOT_STORED)


async def _credential(request: Request) -> str | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    credential = value.get("credential") if isinstance(value, Mapping) and len(value) == 1 else None
    return credential if isinstance(credential, str) and credential.isascii() and credential.isprintable() else None


async def _page(_request: Request) -> Response:
    return FileResponse(HERE / "page.html", media_type="text/html", headers={"Cache-Control": "no-cache"})


async def _review(request: Request) -> Response:
    return RedirectResponse(f"/?{request.url.query}".removesuffix("?"), status_code=307)


async def _mark(_request: Request) -> Response:
    return FileResponse(HERE.parent / "mark.svg", media_type="image/svg+xml")


def _file(name: str) -> Any:
    async def answer(_request: Request) -> Response:
        return FileResponse(HERE / name, media_type=FILES[name], headers={"Cache-Control": "no-cache"})

    return answer
