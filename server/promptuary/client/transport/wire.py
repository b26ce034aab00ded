"""Requests to the server and the meaning of its responses, as values: no connection is made here."""

import email.utils
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from promptuary.client.errors import (
    Conflict,
    InvalidSettings,
    KeyRefused,
    PreconditionFailed,
    PromptNotFound,
    Reason,
    RequestRefused,
)
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion, UnusableResponse, read_json, read_selected_version
from promptuary.prompt.errors import FieldError, InvalidVariables, PromptuaryError, RenderTooLarge
from promptuary.release import __version__

DEFAULT_URL = "http://127.0.0.1:8400"
USER_AGENT = f"promptuary-python/{__version__}"
BODY_LIMIT = 8 * 1024 * 1024
RETRY_AFTER_LIMIT = 300.0
"""The longest pause in seconds that a server may request."""
STREAM_SILENCE_SECONDS = 45.0
"""Seconds without a byte after which a stream is dead: three of the server's keep-alive comments."""
_KEY_PATTERN = re.compile(r"[\x21-\x7e]*\Z")
_ETAG_PATTERN = re.compile(r'(W/)?"[\x21\x23-\x7e]*"\Z')
_CHARSET_PATTERN = re.compile(r'charset="?([^";\s]+)', re.IGNORECASE)
_BUSY_STATUSES = (429, 503)
_GONE = 410
_MISSING_STATUSES = (404, _GONE)
_PROBLEM_TYPE = "urn:promptuary:problem:"
_PROBLEM_MEDIA_TYPE = "application/problem+json"
_NO_SUCH_PATH = "there is nothing at this path"
"""The server's detail where no route matched: the URL is wrong, which reports nothing about the prompt."""


@dataclass(frozen=True)
class ReceivedVersion:
    """The server sent a version whose content has the digest that it names. `body` is the JSON as received."""

    version: ResolvedVersion
    etag: str | None
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class NotModified:
    """The server confirmed the version that the client has."""


@dataclass(frozen=True)
class ServerRefusal:
    """The server refused the request; asking again changes nothing.

    Attributes:
        error: what it reported.
        is_missing: whether it reported that it does not have the prompt, label or version (any more). A refusal of the key or
            of the request reports nothing about them.
        is_erased: whether it reported that the version's content was erased.
    """

    error: PromptuaryError
    is_missing: bool = False
    is_erased: bool = False


@dataclass(frozen=True)
class FetchFailure:
    """The server sent no usable answer; `retry_after` is the pause in seconds that it requested, if any."""

    reason: Reason
    detail: str
    retry_after: float | None = None


TIMED_OUT = FetchFailure(Reason.TIMEOUT, "the server did not answer within the deadline")
CLIENT_CLOSED = FetchFailure(Reason.CLOSED, "the client is closed")
RESPONSE_TOO_LARGE = FetchFailure(Reason.UNUSABLE, "the server's answer is over 8 MiB")
FetchOutcome = ReceivedVersion | NotModified | ServerRefusal | FetchFailure


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended.

    Attributes:
        detail: why, as part of a sentence.
        refused: whether asking again soon changes nothing.
        unusable: whether the next connection must not resume at the present position.
        retry_after: the pause in seconds that the server requested, if any.
    """

    detail: str
    refused: bool = False
    unusable: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response, read completely; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ReceivedBody:
    """The body of a response, up to the limit."""

    def __init__(self) -> None:
        """Begin empty."""
        self._received = bytearray()

    def add(self, chunk: bytes) -> bool:
        """Add the next bytes; return whether the body is still within the limit."""
        self._received += chunk
        return len(self._received) <= BODY_LIMIT

    def response(self, status: int, headers: Mapping[str, str]) -> HttpResponse:
        """Return the response with this body."""
        return HttpResponse(status, dict(headers), bytes(self._received))


@dataclass(frozen=True)
class Endpoint:
    """A server's URL and the API key for it."""

    url: str
    key: str = field(repr=False)

    @classmethod
    def of(cls, url: str | None, key: str | None) -> "Endpoint":
        """Build an endpoint from the settings of the application or the environment.

        Raises:
            InvalidSettings: for a URL that is not http(s), or a key that no header can carry.
        """
        url = (url or DEFAULT_URL).strip().rstrip("/")
        key = (key or "").strip()
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            valid = False
        if not valid:
            raise InvalidSettings("the server's URL must be like https://prompts.example.org; set PROMPTUARY_URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InvalidSettings("the server's URL contains a password or a query; put the key into PROMPTUARY_API_KEY")
        if url.endswith("/v1"):
            raise InvalidSettings(f"the server's URL ends in /v1, which is added to it; set it to {url.removesuffix('/v1')}")
        if not _KEY_PATTERN.match(key):
            raise InvalidSettings("the API key contains characters that no key has; copy it again into PROMPTUARY_API_KEY")
        return cls(url, key)

    @property
    def mark(self) -> str:
        """A short hash that distinguishes servers and keys without revealing the key."""
        return hashlib.sha256(f"{self.url}\0{self.key}".encode()).hexdigest()[:24]

    def headers(self, etag: str | None = None) -> dict[str, str]:
        """Return the headers of a request."""
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if etag:
            headers["If-None-Match"] = etag
        return headers

    def request_headers(self, more: Mapping[str, str] | None, *, has_body: bool) -> dict[str, str]:
        """Return the headers of a request with some more, and the type of its body."""
        return {**self.headers(), **({"Content-Type": "application/json"} if has_body else {}), **(more or {})}

    def lookup(self, selector: Selector) -> tuple[str, dict[str, str]]:
        """Return the URL and the query of a lookup."""
        parameters = {"label": selector.label, "version": selector.version, "targeting_key": selector.targeting_key}
        query = {name: str(value) for name, value in parameters.items() if value is not None}
        return f"{self.url}/v1/prompts/{selector.name}", query

    def stream(self, last: int | None) -> tuple[str, dict[str, str]]:
        """Return the URL and the headers of the stream of changes, which resumes after the event `last`."""
        headers = {**self.headers(), "Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-cache"}
        return f"{self.url}/v1/stream", headers if last is None else {**headers, "Last-Event-ID": str(last)}

    def rendering(self, name: str) -> str:
        """Return the URL at which the server renders a prompt."""
        return f"{self.url}/v1/prompts/{name}/render"


def conditional_headers(etag: str | None) -> dict[str, str]:
    """Return the headers of a request for what has changed since a response with this ETag."""
    return {"If-None-Match": etag} if etag else {}


def read_lookup_response(
    answer: HttpResponse, selector: Selector, sent_etag: str | None = None, now: datetime | None = None
) -> FetchOutcome:
    """Return the meaning of a response to a lookup, which is used only if it is for what was requested.

    Args:
        answer: the response.
        selector: the request.
        sent_etag: the ETag that the request named.
        now: the time, from which a Retry-After counts.
    """
    if answer.status == 304:
        etag = answer.headers.get("etag")
        if None not in (etag, sent_etag) and _opaque_tag(etag) != _opaque_tag(sent_etag):
            return FetchFailure(Reason.UNUSABLE, "the server confirmed another version than the one that the client has")
        return NotModified()
    if answer.status != 200:
        return read_error_response(answer, now)
    try:
        _check_json_type(answer.headers)
        version = read_selected_version(read_json(answer.body), selector)
        _check_arm(version, selector.targeting_key)
    except UnusableResponse as error:
        return FetchFailure(Reason.UNUSABLE, f"the server's answer cannot be used: {error}")
    etag = answer.headers.get("etag")
    return ReceivedVersion(version, etag if etag and _ETAG_PATTERN.match(etag) else None, answer.body)


def _check_json_type(headers: Mapping[str, str]) -> None:
    """Check that a response claims to be JSON in UTF-8, if it claims anything.

    Raises:
        UnusableResponse: when it claims to be something else.
    """
    claimed = media_type(headers)
    if claimed not in ("", "application/json"):
        raise UnusableResponse("it is not application/json; is the URL that of a Promptuary server?")
    charset = _CHARSET_PATTERN.search(headers.get("content-type", ""))
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnusableResponse("it is not UTF-8")


def _check_arm(version: ResolvedVersion, targeting_key: str | None) -> None:
    """Check that a version is the one that its split gives to a key.

    Raises:
        UnusableResponse: for another arm, or an arm without a split.
    """
    if version.split is None:
        is_expected = version.variant is None
    else:
        arm = version.split.arm(targeting_key)
        is_expected = (arm.version, arm.variant) == (version.number, version.variant)
    if not is_expected:
        raise UnusableResponse("it is an arm that does not follow from its split; a cache in between may ignore the query")


def _opaque_tag(etag: str | None) -> str:
    return (etag or "").strip().removeprefix("W/")


def check_stream_response(status: int, headers: Mapping[str, str], now: datetime | None = None) -> StreamEnd | None:
    """Return why a response is no stream of changes; None for one that is. Header names are in lower case."""
    if status in _BUSY_STATUSES:
        pause = parse_retry_after(headers.get("retry-after"), now or datetime.now(UTC))
        return StreamEnd(f"the server answered {status}", retry_after=pause)
    if status != 200:
        return StreamEnd(f"the server answered {status}", refused=status < 500)
    charset = _CHARSET_PATTERN.search(headers.get("content-type", ""))
    if media_type(headers) != "text/event-stream" or (charset is not None and charset[1].lower() != "utf-8"):
        return StreamEnd("the server answered with another content type", refused=True)
    return None


def read_error_response(answer: HttpResponse, now: datetime | None = None) -> ServerRefusal | FetchFailure:
    """Return the meaning of a response that is not the wanted one.

    A 4xx comes from the server itself only if it is one of its problems: a proxy's 404 for a server that is down is an outage.
    """
    status = answer.status
    if status in _BUSY_STATUSES:
        pause = parse_retry_after(answer.headers.get("retry-after"), now or datetime.now(UTC))
        return FetchFailure(Reason.BUSY, f"the server answered {status}", pause)
    if not 400 <= status < 500:
        return FetchFailure(Reason.SERVER_ERROR, f"the server answered {status}")
    problem = _read_problem(answer)
    if problem is None:
        return FetchFailure(Reason.SERVER_ERROR, f"a server that is not Promptuary answered {status}")
    code, detail = problem["code"], problem.get("detail")
    message = detail if isinstance(detail, str) else code
    error = _error(status, code, message, _field_errors(problem.get("errors")))
    is_missing = status in _MISSING_STATUSES and detail != _NO_SUCH_PATH
    return ServerRefusal(error, is_missing, is_erased=status == _GONE)


def _read_problem(answer: HttpResponse) -> dict[str, Any] | None:
    """Parse the problem of a Promptuary server; None for any other body, such as a proxy's page or a gateway's own JSON."""
    try:
        problem = read_json(answer.body)
    except UnusableResponse:
        return None
    is_problem = str(problem.get("type")).startswith(_PROBLEM_TYPE) or media_type(answer.headers) in ("", _PROBLEM_MEDIA_TYPE)
    return problem if is_problem and isinstance(problem.get("code"), str) else None


def media_type(headers: Mapping[str, str]) -> str:
    """Return the media type of a response in lower case, without parameters; empty where it names none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _error(status: int, code: str, detail: str, field_errors: list[FieldError]) -> PromptuaryError:
    if status in _MISSING_STATUSES:
        return PromptNotFound(detail)
    if status in (401, 403):
        return KeyRefused(detail)
    if status == 409:
        return Conflict(detail)
    if status == 412:
        return PreconditionFailed(detail)
    if code == InvalidVariables.code:
        return InvalidVariables(detail, field_errors)
    if code == RenderTooLarge.code:
        return RenderTooLarge(detail)
    return RequestRefused(detail, field_errors)


def _field_errors(errors: Any) -> list[FieldError]:
    if not isinstance(errors, list):
        return []
    return [
        FieldError(str(error.get("path", "")), str(error.get("message", ""))) for error in errors if isinstance(error, dict)
    ]


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Parse a Retry-After header, a number of seconds or an HTTP date, into seconds from now; None for anything else."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
