"""Requests to applications by aiohttp: to allowed hosts, with limits, one host a request."""

import asyncio
import codecs
import ssl
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from promptuary.core.allowed_hosts import AllowedHosts, HostRefused
from promptuary.core.outbound_http import parse_address
from promptuary.evaluation.applications.answer import HttpAnswer
from promptuary.evaluation.applications.event_stream import END, EVENT_STREAM
from promptuary.evaluation.applications.http_request import HttpRequest
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnreachable, ApplicationUnusable
from promptuary.prompt.text import replace_refused

if TYPE_CHECKING:
    import aiohttp

ANSWER_LIMIT = 4 * 1024 * 1024
REDIRECTS = 5
_SEE_OTHER = (301, 302, 303)
_REDIRECTS = (*_SEE_OTHER, 307, 308)
_STREAM_END = f"data: {END}".encode()


@dataclass
class HttpConnection:
    """The connections to the applications of one run, in one event loop.

    Attributes:
        hosts: that may be asked.
        limit: the most connections.
    """

    hosts: AllowedHosts
    limit: int = 100
    _session: "aiohttp.ClientSession | None" = None
    _plain: set[str] = field(default_factory=set)

    async def send(self, request: HttpRequest, timeout: float | None, redact: Callable[[str], str]) -> HttpAnswer:
        """Send a request once, and return the answer, whatever its status is.

        A redirect is followed within the same host only.

        Args:
            request: to an allowed host.
            timeout: seconds for the whole exchange; None for no limit here.
            redact: removes secrets from a text.

        Raises:
            HostRefused: for a host that is not allowed.
            ApplicationUnusable: for a name that has no address, or a redirect to another host.
            ApplicationUnreachable: for no connection.
            ApplicationFailed: for no answer in time, or one that is too large.
        """
        import aiohttp

        try:
            async with asyncio.timeout(timeout):
                return await self._follow(request, redact)
        except TimeoutError:
            limit = "in time" if timeout is None else f"within {timeout:g} seconds"
            raise ApplicationFailed(f"{request.address} did not answer {limit}") from None
        except aiohttp.ClientConnectorDNSError:
            host = urlsplit(request.url).hostname
            raise ApplicationUnusable(f"{request.address} cannot be reached: the name '{host}' has no address") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ssl.SSLError):
                reason = error.os_error.reason or "the certificate is not accepted"
                raise ApplicationUnusable(f"{request.address} cannot be reached: TLS fails: {reason}") from None
            reason = "nothing listens there" if isinstance(error.os_error, ConnectionRefusedError) else type(error).__name__
            message = f"{request.address} cannot be reached: {reason}; is the application running?"
            raise ApplicationUnreachable(message) from error
        except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:
            text = redact(" ".join(str(error).split()))[:200]
            raise ApplicationFailed(f"{request.address} failed: {type(error).__name__}: {text}") from None

    async def close(self) -> None:
        """Close the connections; another request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, request: HttpRequest, redact: Callable[[str], str]) -> HttpAnswer:
        first = _origin(request.url)
        for _ in range(REDIRECTS + 1):
            self.hosts.check_url(request.url)
            if request.url.startswith("http://"):
                self._plain.add(urlsplit(request.url).hostname or "")
            answer, location = await self._send(request, redact)
            if answer.status not in _REDIRECTS or location is None:
                return answer
            target = urljoin(request.url, location)
            downgrade = request.url.startswith("https://") and not target.startswith("https://")
            if _origin(target) != first or downgrade:
                raise ApplicationUnusable(
                    f"{request.address} redirects to '{_visible(target)}', which is another host or not encrypted; "
                    "write that address into the suite if it is the application"
                )
            keeps_method = answer.status not in _SEE_OTHER or request.method in ("GET", "HEAD")
            request = replace(request, url=target) if keeps_method else replace(request, url=target, method="GET", content=None)
        raise ApplicationUnusable(f"{request.address} redirects more than {REDIRECTS} times")

    async def _send(self, request: HttpRequest, redact: Callable[[str], str]) -> tuple[HttpAnswer, str | None]:
        session = self._open()
        sent = session.request(
            request.method, _exact(request.url), data=request.content, headers=dict(request.headers), allow_redirects=False
        )
        async with sent as response:
            body = await _read(response, request.address)
            text = redact(replace_refused(body.decode(_charset(response.charset), "replace")))
            headers = {name.lower(): redact(value) for name, value in response.headers.items()}
            return HttpAnswer(response.status, response.reason or "", headers, text), response.headers.get("Location")

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=30, sock_read=None)
            connector = aiohttp.TCPConnector(limit=self.limit, resolver=_checked_resolver(self.hosts, self._plain))
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


async def _read(response: "aiohttp.ClientResponse", address: str) -> bytes:
    """Read the body up to the limit; a stream of events up to the event that ends it."""
    body = bytearray()
    events = response.content_type == EVENT_STREAM
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise ApplicationFailed(f"{address} sent more than {ANSWER_LIMIT} bytes")
        if events and _STREAM_END in body[-len(chunk) - len(_STREAM_END) :]:
            break
    return bytes(body)


def _charset(name: str | None) -> str:
    try:
        return codecs.lookup(name or "utf-8").name
    except LookupError:
        return "utf-8"


def _origin(url: str) -> tuple[str | None, int | None]:
    """Return host and port; the usual ports of http and https count as one, since many hosts redirect to https."""
    parts = urlsplit(url)
    return parts.hostname, None if parts.port in (None, 80, 443) else parts.port


def _visible(url: str) -> str:
    """Return scheme and host of an address, without what may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _exact(url: str) -> Any:
    """Return the address as aiohttp takes it: what is percent-encoded stays so, the rest is encoded."""
    from yarl import URL

    return URL(url)


def _checked_resolver(hosts: AllowedHosts, plain: Container[str]) -> Any:
    """Return a resolver that refuses addresses which may not be asked; the connection goes to one that was checked."""
    import aiohttp
    from aiohttp.abc import AbstractResolver

    class CheckedResolver(AbstractResolver):
        def __init__(self) -> None:
            self._resolver = aiohttp.ThreadedResolver()

        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            resolved = await self._resolver.resolve(host, port, family)
            for result in resolved:
                address = parse_address(result["host"])
                if address is None:
                    raise HostRefused(f"the name '{host}' has no address that can be checked")
                hosts.check_resolved(host, address, plain=host.lower() in plain)
            return resolved

        async def close(self) -> None:
            await self._resolver.close()

    return CheckedResolver()
