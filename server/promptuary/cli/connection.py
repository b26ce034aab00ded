"""The service that a command calls: the server at `PROMPTUARY_URL`, or the same service in this process.

The local service works on the data directory with the operator's rights, which anyone who can read that directory has anyway.
Both use the same routes, so the same rules and errors apply.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError
from promptuary.prompt.name import is_name

if TYPE_CHECKING:
    from promptuary.api.asgi import App
    from promptuary.api.middleware import RequestMiddleware
    from promptuary.api.services import Services

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
LOCAL_URL = "http://127.0.0.1"
LOCAL_BODY_LIMIT = 2**30


class NotInstalled(PromptuaryError):
    """A command needs a part that is not installed."""

    code = "not_installed"


class ApiRefused(Invalid):
    """The service refused a request; the message is its own."""

    code = "refused"


class ServiceUnreachable(PromptuaryError):
    """The service does not answer, or cannot."""

    code = "unreachable"


class _JsonObject(dict[str, Any]):
    """A JSON object of a response. A member that is missing, as from a server of another release, is an error with a remedy."""

    def __missing__(self, name: str) -> Any:
        raise ServiceUnreachable(f"the server's answer has no `{name}`; is it Promptuary, and of this release?")


def path_segment(text: str) -> str:
    """Return a name or an id as one segment of a path.

    Raises:
        Invalid: for an empty text, or one that is not Unicode.
    """
    try:
        quoted = quote(text, safe="")
    except UnicodeEncodeError:
        raise Invalid(
            "a name or an id is not valid Unicode", [FieldError(ascii(text), "has bytes that are not UTF-8")]
        ) from None
    if not quoted:
        raise Invalid("a name or an id is empty")
    return quoted.replace(".", "%2E") if text in (".", "..") else quoted


class ApiClient:
    """Calls the routes under `/v1`. Every response that is not a success is raised.

    Attributes:
        services: the service in this process; None where a server is called.
    """

    def __init__(self, client: httpx.Client, services: "Services | None" = None) -> None:
        """Store the HTTP client, and the service in this process, if there is one."""
        self._client = client
        self.services = services

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET request; query parameters that are None are omitted."""
        return self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request; members of the body that are None are omitted."""
        return self._call("POST", path, json={key: value for key, value in body.items() if value is not None})

    def post_lines(self, path: str, pieces: Iterable[bytes]) -> Any:
        """Send a POST request of JSON lines, streamed piece by piece."""
        return self._call("POST", path, content=pieces, headers={"Content-Type": "application/x-ndjson"})

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a PUT request; members of the body that are None are omitted."""
        return self._call("PUT", path, json={key: value for key, value in body.items() if value is not None})

    def delete(self, path: str, **query: Any) -> Any:
        """Send a DELETE request; query parameters that are None are omitted."""
        return self._call("DELETE", path, params={key: value for key, value in query.items() if value is not None})

    def items(self, path: str, *, page: int = 200, **query: Any) -> Iterator[Any]:
        """Yield the items of a list, which is read page by page; `page` is the number of items per page."""
        cursor = None
        while True:
            response = self.get(path, limit=page, cursor=cursor, **query)
            yield from response["items"]
            cursor = response["next_cursor"]
            if cursor is None:
                return

    def get_or_none(self, path: str, **query: Any) -> Any | None:
        """Send a GET request; return None where the service has no such resource."""
        try:
            return self.get(path, **query)
        except ApiRefused as error:
            if error.code == "not_found":
                return None
            raise

    def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            request = self._client.build_request(method, f"/v1{path}", **more)
        except (ValueError, httpx.InvalidURL) as error:  # NaN, a lone surrogate, an incomplete address
            raise Invalid("the request cannot be sent", [FieldError("", str(error))]) from None
        try:
            response = self._client.send(request)
        except httpx.HTTPError as error:
            raise ServiceUnreachable(
                f"{self._client.base_url} does not answer ({type(error).__name__}); start it, or unset PROMPTUARY_URL"
            ) from error
        if response.status_code == 204:
            return None
        try:
            body = json.loads(response.content, object_hook=_JsonObject)
        except (ValueError, RecursionError):
            raise ServiceUnreachable(
                f"{self._client.base_url} answered {response.status_code} and no JSON; is it Promptuary?"
            ) from None
        if not response.is_success:
            raise _error(response.status_code, body)
        if not isinstance(body, dict):
            raise ServiceUnreachable(f"{self._client.base_url} answered in a form that is not Promptuary's; is it Promptuary?")
        return body


def _error(status: int, problem: Any) -> PromptuaryError:
    if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
        return ServiceUnreachable(f"the server answered {status} in a form that is not Promptuary's")
    if status >= 500:
        return ServiceUnreachable(problem["detail"])
    refused = ApiRefused(
        problem["detail"], [FieldError(error["path"], error["message"]) for error in problem.get("errors", [])]
    )
    refused.code = problem.get("code", refused.code)
    return refused


class _AsyncBody(httpx.AsyncByteStream):
    """A streamed body, in the form that an ASGI app reads."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._stream:
            yield piece


class _InProcessTransport(httpx.BaseTransport):
    """Sends each request to the app in this process, on its own event loop."""

    def __init__(self, app: "App") -> None:
        self._runner = asyncio.Runner()
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            request.stream = _AsyncBody(request.stream)

        async def send() -> httpx.Response:
            response = await self._transport.handle_async_request(request)
            await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=response.content)

        return self._runner.run(send())

    def close(self) -> None:
        self._runner.close()


@contextmanager
def connect(project: str | None = None, *, allow_code: bool = False) -> Iterator[ApiClient]:
    """Yield a client of the service.

    Args:
        project: the project to work in, with the local service; a server derives it from the key.
        allow_code: whether suites may run their own code in this process, with the local service.

    Raises:
        NotInstalled: when there is no `PROMPTUARY_URL`, and the server is not installed.
        Invalid: with the name of the variable, the option or the project that cannot be used.
    """
    url = os.environ.get("PROMPTUARY_URL")
    if url and allow_code:
        raise Invalid(
            "a server itself decides whether suites may run code", [FieldError("--allow-code", "is for a run without a server")]
        )
    if url:
        with _client(url, os.environ.get("PROMPTUARY_API_KEY", "")) as client:
            yield ApiClient(client)
        return
    if project is not None and not is_name(project):
        raise Invalid("there is no such project", [FieldError("--project", f"'{project}' is not of a-z 0-9 _ . -")])
    with (
        local_app(allow_code=allow_code) as app,
        httpx.Client(base_url=LOCAL_URL, transport=_InProcessTransport(_trusted(app, project)), timeout=None) as client,
    ):
        yield ApiClient(client, app.services)


def _client(url: str, key: str) -> httpx.Client:
    if not (key.isascii() and key.isprintable()):
        raise Invalid(
            "the server cannot be called", [FieldError("PROMPTUARY_API_KEY", "is not an API key: a key is plain ASCII")]
        )
    if not url.startswith(("http://", "https://")):
        raise Invalid("the server cannot be called", [FieldError("PROMPTUARY_URL", "must begin with http:// or https://")])
    if url.rstrip("/").endswith("/v1"):
        message = f"ends in /v1, which is added to it; set it to {url.rstrip('/').removesuffix('/v1')}"
        raise Invalid("the server cannot be called", [FieldError("PROMPTUARY_URL", message)])
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT)
    except httpx.InvalidURL as error:
        raise Invalid("the server cannot be called", [FieldError("PROMPTUARY_URL", f"is not a URL: {error}")]) from None


@contextmanager
def local_app(*, allow_code: bool = False) -> Iterator["RequestMiddleware"]:
    """Build the service in this process, on the data directory; `allow_code` permits suites to run code, as the setting does.

    Raises:
        NotInstalled: when the server is not installed.
    """
    try:
        from promptuary.api.app import create_app
        from promptuary.core.logs import configure_logging
        from promptuary.core.settings import read_settings
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"there is no PROMPTUARY_URL, and the server is not installed ({error.name}): "
            "set the first, or install promptuary[server]"
        ) from None
    configure_logging("ERROR")  # a command reports its errors itself, in one line
    app = create_app(read_settings(command_line=True, body_limit=LOCAL_BODY_LIMIT, code_scorers=allow_code or None))
    try:
        yield app
    finally:
        app.close()


def _trusted(app: "App", project: str | None) -> "App":
    from promptuary.access.auth.request import LOCAL_PROJECT
    from promptuary.access.service import DEFAULT_PROJECT

    async def trusted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: project or DEFAULT_PROJECT}, receive, send)

    return trusted
