"""HTTP requests to addresses that users name: only to listed hosts, at a pinned address, with limits, without redirects.

A host that is not listed gets no request. A name is resolved once, and the connection goes to an address that was checked, so
that a second answer of the name server cannot redirect it. Names may only resolve to public addresses; loopback and private
addresses have to be listed themselves (`127.0.0.1`, `10.0.0.7`, `localhost`).
"""

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from promptuary.core.errors import Invalid, Unavailable

RESPONSE_LIMIT = 64 * 1024
BODY_LIMIT = 4 * 1024 * 1024
LOOPBACK_NAME = "localhost"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class DestinationRefused(Invalid):
    """Webhooks may not be sent to an address."""

    code = "webhook_refused"


class DestinationFailed(Unavailable):
    """A webhook's receiver was not reached, was too slow, or sent too large a response."""

    code = "webhook_failed"


@dataclass(frozen=True)
class Destination:
    """A checked address; `literal` is True where the host is an address or `localhost`."""

    url: httpx.URL
    literal: bool


def parse_destination(url: str, hosts: Collection[str]) -> Destination:
    """Parse and check an address, without resolving it.

    Args:
        url: https, or http to loopback.
        hosts: the allowed names and addresses, each alone (any port) or with a port.

    Raises:
        DestinationRefused: with what is wrong and the remedy.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise DestinationRefused("the webhook's address is not a URL; write one like https://hooks.example.com/path") from None
    host = parsed.raw_host.decode("ascii").lower()
    if parsed.scheme not in ("http", "https") or not host or not 0 < (parsed.port or 443) < 2**16:
        raise DestinationRefused("the webhook's address must begin with https:// and a host")
    if parsed.userinfo:
        raise DestinationRefused("the webhook's address contains a user or password; send a header instead")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    listed = {name.lower().replace("[", "").replace("]", "") for name in hosts}
    if not listed & {host, f"{host}:{port}"}:
        raise DestinationRefused(
            f"webhooks may not go to '{host}' (port {port}); an operator can list it in PROMPTUARY_WEBHOOK_HOSTS"
        )
    address = parse_address(host)
    if parsed.scheme == "http" and not (host == LOOPBACK_NAME or (address is not None and address.is_loopback)):
        raise DestinationRefused(f"webhooks go to '{host}' by https only; plain http is for loopback")
    return Destination(parsed, literal=address is not None or host == LOOPBACK_NAME)


def redacted_url(url: str) -> str:
    """Return an address without its user, path and query, which may contain a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


async def post_json(
    url: str, body: Any, *, hosts: Collection[str], timeout: float, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Post a JSON body, and return the status and content of the response, whatever the status is; never send twice.

    Args:
        url: https, or http to loopback; its host has to be listed.
        body: any JSON value; bytes are sent unchanged, for example because they were signed.
        hosts: the allowed hosts, as for `parse_destination`.
        timeout: seconds for the whole exchange, including the resolution of the name.
        headers: beside the content type.

    Raises:
        DestinationRefused: for an address that is not listed, or a name that resolves to one that is not public.
        DestinationFailed: for no connection, no response in time, or one of more than 64 KiB.
    """
    target = parse_destination(url, hosts)
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    if len(content) > BODY_LIMIT:
        raise DestinationRefused(f"the webhook's body has {len(content)} bytes; the most are {BODY_LIMIT}")
    host = target.url.raw_host.decode("ascii")
    try:
        async with asyncio.timeout(timeout):
            address = await _resolve(target)
            return await _send(target, address, content, dict(headers or {}))
    except TimeoutError:
        raise DestinationFailed(f"the webhook at '{host}' did not answer within {timeout:g} seconds") from None
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        raise DestinationFailed(f"the webhook at '{host}' was not reached: {type(error).__name__}") from None


async def _resolve(target: Destination) -> Address:
    """Resolve the host once; every address of its name must be public."""
    host = target.url.raw_host.decode("ascii")
    known = parse_address(host)
    if known is not None:
        return known
    infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = [address for *_, place in infos if (address := parse_address(str(place[0]))) is not None]
    if not addresses:
        raise DestinationFailed(f"the name '{host}' has no address")
    for address in addresses:
        if target.literal and address.is_loopback:
            continue
        if not is_public(address):
            raise DestinationRefused(
                f"the name '{host}' resolves to {address}, which is not public; if that is intended, list the address itself"
            )
    return addresses[0]


async def _send(target: Destination, address: Address, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Post to the address, with the host's name in the request and in TLS."""
    fixed = {"Host": target.url.netloc.decode("ascii"), "Content-Type": "application/json", "Accept-Encoding": "identity"}
    host = target.url.raw_host.decode("ascii")
    extensions = {} if parse_address(host) else {"sni_hostname": host}
    client = httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=None)
    pinned = target.url.copy_with(host=str(address))
    async with (
        client,
        client.stream("POST", pinned, content=content, headers={**headers, **fixed}, extensions=extensions) as response,
    ):
        content_received = bytearray()
        async for chunk in response.aiter_raw():
            content_received += chunk
            if len(content_received) > RESPONSE_LIMIT:
                raise DestinationFailed(f"the webhook at '{target.url.host}' sent more than {RESPONSE_LIMIT} bytes")
        return response.status_code, bytes(content_received)


def parse_address(text: str) -> Address | None:
    """Return the address that a text is, or None."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet, also if it is embedded in an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
