"""The checks that a request passes before Streamlit sees it: its host, its origin, and a path that the pages need."""

from collections.abc import Collection

from promptuary_ui.asgi import App, Receive, Scope, Send

STREAMLIT_PATHS = ("/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/_stcore/bidi-components/")
"""The paths of Streamlit's own that pages need; not its metrics, its routes for agents, uploads or sign-in."""
UNUSED_PATHS = ("/_stcore", "/auth/", "/oauth2callback")
POLICY_VIOLATION = 1008


def sent_origin(scope: Scope) -> str | None:
    """Return the Origin header of a request; None where there is none, or more than one."""
    origins = _header(scope, b"origin")
    return origins[0] if len(origins) == 1 else None


def own_origins(scope: Scope, public_url: str | None) -> frozenset[str]:
    """Return the origins that pages of this server have: that of the address the request was sent to, and the public one.

    Args:
        scope: the request, whose Host was checked.
        public_url: the origin of the pages behind a proxy, such as `https://review.example.com`; None without one.
    """
    secure = scope.get("scheme") in ("https", "wss")
    address = f"{'https' if secure else 'http'}://{_header(scope, b'host')[0].lower()}"
    return frozenset({address} if public_url is None else {address, public_url})


class RequestChecks:
    """ASGI middleware that refuses other hosts, WebSockets of other origins, and paths that no page needs."""

    def __init__(self, app: App, hosts: Collection[str], public_origin: str | None) -> None:
        """Store what is allowed.

        Args:
            app: the wrapped app.
            hosts: the names of this server, each with every port.
            public_origin: the origin of the pages behind a proxy.
        """
        self.app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._public_origin = public_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the wrapped app where the request passes."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await _respond(send, *refusal)
        elif scope["type"] == "websocket" and not self._may_connect(scope):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "not from this server's own pages"})
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if not self._is_known_host(scope):
            return 400, "The Host header names a host that this server does not answer for; see PROMPTUARY_ALLOWED_HOSTS."
        path: str = scope["path"]
        if path.startswith(UNUSED_PATHS) and not path.startswith(STREAMLIT_PATHS):
            return 404, "There is nothing at this address."
        return None

    def _may_connect(self, scope: Scope) -> bool:
        return self._is_known_host(scope) and sent_origin(scope) in own_origins(scope, self._public_origin)

    def _is_known_host(self, scope: Scope) -> bool:
        hosts = _header(scope, b"host")
        if len(hosts) != 1:
            return False
        host = hosts[0]
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return name.lower() in self._hosts


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for header, value in scope["headers"] if header == name]


async def _respond(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
