"""The service that a command calls: the server at `PROMPTUARY_URL`, or the same service in this process.

The same rules and errors apply to both: they are in the services, which routes and the service in this process call alike.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from promptuary.cli.errors import ApiRefused as ApiRefused
from promptuary.cli.errors import NotInstalled as NotInstalled
from promptuary.cli.errors import ServiceUnreachable as ServiceUnreachable
from promptuary.cli.errors import service_error
from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError
from promptuary.prompt.name import is_name

if TYPE_CHECKING:  # what a command imports when it needs it
    import httpx

    from promptuary.cli.embedded.service import EmbeddedService


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
    """Calls the routes under `/v1`. Every response that is not a success is raised."""

    def __init__(self, client: "httpx.Client | None" = None, *, embedded: "EmbeddedService | None" = None) -> None:
        """Store the HTTP client of a server, or the service in this process."""
        self._client = client
        self._embedded = embedded

    @property
    def services(self) -> "EmbeddedService | None":
        """The service in this process; None where a server is called."""
        return self._embedded

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET request; query parameters that are None are omitted."""
        return self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    def download(self, path: str, **query: Any) -> bytes:
        """Send a GET request and return the file that it answers; query parameters that are None are omitted."""
        response = self._send("GET", path, params={key: value for key, value in query.items() if value is not None})
        if not response.is_success:
            raise _error(response.status_code, self._parsed(response))
        return response.content

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request; members of the body that are None are omitted."""
        return self._call("POST", path, json={key: value for key, value in body.items() if value is not None})

    def post_lines(self, path: str, pieces: Iterable[bytes]) -> Any:
        """Send a POST request of JSON lines, streamed piece by piece."""
        return self._call("POST", path, content=pieces, headers={"Content-Type": "application/x-ndjson"})

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a PUT request; members of the body that are None are omitted."""
        return self._call("PUT", path, json={key: value for key, value in body.items() if value is not None})

    def put_if(self, path: str, body: Mapping[str, Any], tag: str | None) -> Any:
        """Send a PUT request that changes the resource only as it was read; members of the body that are None are omitted.

        Args:
            path: of the resource.
            body: to send.
            tag: the ETag of the resource as it was read; None where it did not exist.

        Raises:
            ApiRefused: with the code `precondition_failed` where it has changed since, or exists by now.
        """
        condition = {"If-None-Match": "*"} if tag is None else {"If-Match": tag}
        stated = {key: value for key, value in body.items() if value is not None}
        return self._call_over_http("PUT", path, json=stated, headers=condition)

    def tag_or_none(self, path: str) -> str | None:
        """Return the ETag of a resource; None where the service has no such resource."""
        try:
            return self.get_with_tag(path)[1]
        except ApiRefused as error:
            if error.code == "not_found":
                return None
            raise

    def get_with_tag(self, path: str) -> tuple[Any, str]:
        """Return a resource and its ETag, of one answer."""
        response = self._send("GET", path)
        body = self._parsed(response)
        if not response.is_success:
            raise _error(response.status_code, body)
        if "etag" not in response.headers:
            raise ServiceUnreachable(f"the answer of {self._address} has no ETag; is it Promptuary, and of this release?")
        return body, str(response.headers["etag"])

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
        if self._embedded is not None:
            from promptuary.cli.embedded.direct_call import NotDirect

            try:
                response = self._embedded.call(method, path, more.get("params", {}), more.get("json"), more.get("content"))
            except NotDirect:
                pass  # the app answers
            except PromptuaryError as error:
                raise _direct_error(error) from error
            else:
                return None if response is None else json.loads(response, object_hook=_JsonObject)
        return self._call_over_http(method, path, **more)

    def _call_over_http(self, method: str, path: str, **more: Any) -> Any:
        response = self._send(method, path, **more)
        if response.status_code == 204:
            return None
        body = self._parsed(response)
        if not response.is_success:
            raise _error(response.status_code, body)
        if not isinstance(body, dict):
            raise ServiceUnreachable(f"{self._address} answered in a form that is not Promptuary's; is it Promptuary?")
        return body

    def _send(self, method: str, path: str, **more: Any) -> "httpx.Response":
        from promptuary.cli.http_connection import send  # httpx takes longer to import than a direct call takes

        if self._client is None:
            assert self._embedded is not None
            self._client = self._embedded.client
        return send(self._client, method, path, **more)

    @property
    def _address(self) -> str:
        return "the service" if self._client is None else str(self._client.base_url)

    def _parsed(self, response: "httpx.Response") -> Any:
        try:
            return json.loads(response.content, object_hook=_JsonObject)
        except (ValueError, RecursionError):
            raise ServiceUnreachable(
                f"{self._address} answered {response.status_code} and no JSON; is it Promptuary?"
            ) from None


def _direct_error(error: PromptuaryError) -> PromptuaryError:
    """Return the error for one of the service in this process, the same as from its response over HTTP."""
    from promptuary.api.problems.error_status import status_of

    field_errors = list(error.field_errors) if isinstance(error, Invalid) else []
    return service_error(status_of(type(error)), error.code, error.message, field_errors)


def _error(status: int, problem: Any) -> PromptuaryError:
    if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
        return ServiceUnreachable(f"the server answered {status} in a form that is not Promptuary's")
    field_errors = [FieldError(error["path"], error["message"]) for error in problem.get("errors", [])]
    return service_error(status, problem.get("code", ApiRefused.code), problem["detail"], field_errors)


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
        from promptuary.cli.http_connection import server_client  # imports httpx

        with server_client(url, os.environ.get("PROMPTUARY_API_KEY", "")) as client:
            yield ApiClient(client)
        return
    if project is not None and not is_name(project):
        raise Invalid("there is no such project", [FieldError("--project", f"'{project}' is not of a-z 0-9 _ . -")])
    try:
        from promptuary.cli.embedded.service import EmbeddedService  # imports the database's library
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"there is no PROMPTUARY_URL, and the server is not installed ({error.name}): "
            "set the first, or install promptuary[server]"
        ) from None
    with closing(EmbeddedService(project, allow_code=allow_code)) as embedded:
        yield ApiClient(embedded=embedded)
