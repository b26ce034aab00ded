"""The browser's way to the identity provider and back; the API checks what it brings."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from promptuary_ui.client import ApiError
from promptuary_ui.request_checks import own_origins
from promptuary_ui.sign_in.routes import SignInRoutes

PATH = "/sign-in/provider"
SECONDS = 600
"""How long a person may take at the provider."""
REASONS: Mapping[int, str] = {403: "no-role", 401: "provider-refused"}
_FIELDS = 4


@dataclass(frozen=True)
class BegunSignIn:
    """What the browser keeps while the person is at the provider, in a cookie that no script reads.

    The cookie is SameSite=Lax, because the browser comes back from another site. It binds the browser to the sign-in:
    one that brings a code without it, or with another state, is refused.
    """

    state: str
    nonce: str
    verifier: str
    next_page: str

    @property
    def challenge(self) -> str:
        """The challenge of the verifier (RFC 7636, S256)."""
        return _encode(hashlib.sha256(self.verifier.encode()).digest())

    def __str__(self) -> str:
        """Return the cookie's value."""
        return ".".join((self.state, self.nonce, self.verifier, _encode(self.next_page.encode())))


@dataclass(frozen=True)
class ProviderRoutes:
    """The routes to the provider and back, beside those of the sign-in page."""

    sign_in: SignInRoutes

    def routes(self) -> list[Route]:
        """Return both routes."""
        return [Route(PATH, self.begin), Route(f"{PATH}/callback", self.finish)]

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = BegunSignIn(state, nonce, verifier, own_page(request.query_params.get("next")))
        try:
            api = self.sign_in.api(request, "")
            authorization = await run_in_threadpool(api.authorize, begun.state, begun.nonce, begun.challenge)
        except ApiError:
            return _sign_in_page("provider-failed", begun.next_page)
        parts = urlsplit(authorization.redirect_uri)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in own_origins(request.scope, self.sign_in.public_origin) and "moved" not in request.query_params:
            # The provider sends the browser back to one address only, and cookies of another name do not go there.
            return _redirect(f"{origin}{PATH}?{urlencode({'next': begun.next_page, 'moved': '1'})}")
        response = _redirect(authorization.url)
        response.headers.append("Set-Cookie", f"{self._cookie}={begun}; Max-Age={SECONDS}; {self._attributes}")
        return response

    async def finish(self, request: Request) -> Response:
        """Open the session of a browser that comes back, and show the page that it wanted."""
        begun = _parse(request.cookies.get(self._cookie, ""))
        response = await self._finish(request, begun)
        response.headers.append("Set-Cookie", f"{self._cookie}=; Max-Age=0; {self._attributes}")
        return response

    async def _finish(self, request: Request, begun: BegunSignIn | None) -> Response:
        state, code = (request.query_params.getlist(name) for name in ("state", "code"))
        if begun is None or len(state) != 1 or not secrets.compare_digest(state[0].encode(), begun.state.encode()):
            return _sign_in_page("provider-refused", "/")
        if len(code) != 1 or "error" in request.query_params:
            return _sign_in_page("provider-refused", begun.next_page)
        try:
            api = self.sign_in.api(request, "")
            opened = await run_in_threadpool(api.open_provider_session, code[0], begun.verifier, begun.nonce)
        except ApiError as error:
            return _sign_in_page(REASONS.get(error.status, "provider-failed"), begun.next_page)
        response = _redirect(begun.next_page)
        response.headers.append("Set-Cookie", self.sign_in.cookie.header(opened.token, opened.expires_at))
        return response

    @property
    def _cookie(self) -> str:
        return f"promptuary-provider-{self.sign_in.cookie.port}"

    @property
    def _attributes(self) -> str:
        return f"Path={PATH}; HttpOnly; SameSite=Lax" + ("; Secure" if self.sign_in.cookie.secure else "")


def own_page(text: str | None) -> str:
    """Return the path and query of a page of this server; the first page for what is none, such as another server's."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\", "/sign-in")) or not text.isprintable():
        return "/"
    return text if len(text) <= 1000 and "\\" not in text else "/"


def _parse(cookie: str) -> BegunSignIn | None:
    fields = cookie.split(".")
    if len(fields) != _FIELDS or not all(fields):
        return None
    try:
        next_page = base64.urlsafe_b64decode(fields[3] + "=" * (-len(fields[3]) % 4)).decode()
    except ValueError:
        return None
    return BegunSignIn(fields[0], fields[1], fields[2], own_page(next_page))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _redirect(address: str) -> RedirectResponse:
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


def _sign_in_page(reason: str, next_page: str) -> Response:
    return _redirect(f"/sign-in?{urlencode({'reason': reason, 'next': next_page})}")
