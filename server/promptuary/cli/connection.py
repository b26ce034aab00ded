"""Where a command's requests go: to the server at `PROMPTUARY_URL`, or to the same service in this process.

The local service works on the data directory with the operator's rights, which whoever has that directory has anyway. Both
ways take the same routes, so the same rules and the same errors hold.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
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
    """A command needs a part that this installation does not have."""

    code = "not_installed"


class ApiRefused(Invalid):
    """The service refused a request; its own sentence says why."""

    code = "refused"


class ServiceUnreachable(PromptuaryError):
    """The service does not answer, or is not able to."""

    code = "unreachable"


class _JsonObject(dict[str, Any]):
    """A JSON object of an answer: a member that a server of another kind or release does not send is told as that."""

    def __missing__(self, name: str) -> Any:
        raise ServiceUnreachable(f"the server's answer has no `{name}`; is it Promptuary, and of this release?")


def path_segment(text: str) -> str:
    """Give a name or an id as one part of a path.

    Raises:
        Invalid: when it can be none.
    """
    try:
        quoted = quote(text, safe="")
    except UnicodeEncodeError:
        raise Invalid("a name or an id is no Unicode text", [FieldError(ascii(text), "has bytes that are not UTF-8")]) from None
    if not quoted:
        raise Invalid("a name or an id is empty; give it")
    return quoted.replace(".", "%2E") if text in (".", "..") else quoted


class ApiClient:
    """Calls the routes under `/v1`; every answer that is no success is raised. `parts` are set where it is in this process.

    Attributes:
        deliver: brings finished runs to MLflow, where the command has something that does it beside this process.
    """

    deliver: Callable[[], None] | None = None

    def __init__(self, client: httpx.Client, parts: "Services | None" = None) -> None:
        """Keep the client, and the parts of a service in this process."""
        self._client = client
        self.parts = parts

    def get(self, path: str, **query: Any) -> Any:
        """GET a path; what is None is left out of the query."""
        return self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST a body; what is None is left out of it."""
        return self._call("POST", path, json={key: value for key, value in body.items() if value is not None})

    def post_lines(self, path: str, pieces: Iterable[bytes]) -> Any:
        """POST JSON lines, piece by piece as they come."""
        return self._call("POST", path, content=pieces, headers={"Content-Type": "application/x-ndjson"})

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT a body; what is None is left out of it."""
        return self._call("PUT", path, json={key: value for key, value in body.items() if value is not None})

    def delete(self, path: str) -> Any:
        """DELETE a path."""
        return self._call("DELETE", path)

    def items(self, path: str, *, page: int = 200, **query: Any) -> Iterator[Any]:
        """GET a list, page after page; `page` is how many items are held at a time, at most."""
        cursor = None
        while True:
            found = self.get(path, limit=page, cursor=cursor, **query)
            yield from found["items"]
            cursor = found["next_cursor"]
            if cursor is None:
                return

    def found(self, path: str, **query: Any) -> Any | None:
        """GET a path that may not be there."""
        try:
            return self.get(path, **query)
        except ApiRefused as error:
            if error.code == "not_found":
                return None
            raise

    def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            request = self._client.build_request(method, f"/v1{path}", **more)
        except (ValueError, httpx.InvalidURL) as error:  # NaN, half of a surrogate pair, an address without an end
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
        problem["detail"], [FieldError(fault["path"], fault["message"]) for fault in problem.get("errors", [])]
    )
    refused.code = problem.get("code", refused.code)
    return refused


class _AsyncBody(httpx.AsyncByteStream):
    """A body that comes in pieces, as an app on an event loop takes it."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._stream:
            yield piece


class _InProcessTransport(httpx.BaseTransport):
    """Runs each request through the app in this process, on an event loop of its own."""

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
    """Give the service to talk to.

    Args:
        project: with the local service, the project to work in; a server's key has its own.
        allow_code: with the local service, whether suites may run code of their own in this process.

    Raises:
        NotInstalled: when there is no `PROMPTUARY_URL`, and the server's parts are not installed.
        Invalid: naming the variable, the option or the project that cannot be used.
    """
    url = os.environ.get("PROMPTUARY_URL")
    if url and allow_code:
        raise Invalid(
            "a server decides itself whether suites may run code", [FieldError("--allow-code", "is for a run without one")]
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
        raise Invalid("the server cannot be asked", [FieldError("PROMPTUARY_API_KEY", "is no API key, which is plain ASCII")])
    if not url.startswith(("http://", "https://")):
        raise Invalid("the server cannot be asked", [FieldError("PROMPTUARY_URL", "must begin with http:// or https://")])
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT)
    except httpx.InvalidURL as error:
        raise Invalid("the server cannot be asked", [FieldError("PROMPTUARY_URL", f"is no URL: {error}")]) from None


@contextmanager
def local_app(*, allow_code: bool = False) -> Iterator["RequestMiddleware"]:
    """Assemble the service in this process, on the data directory; `allow_code` lets suites run code, as the setting does.

    Raises:
        NotInstalled: when the server's parts are not installed.
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
    configure_logging("ERROR")  # what a command has to say it says itself, in one line
    app = create_app(read_settings(body_limit=LOCAL_BODY_LIMIT, code_scorers=allow_code or None))
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
