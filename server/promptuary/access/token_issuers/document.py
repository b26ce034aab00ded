"""JSON of an issuer over HTTP: with limits of time and size, without redirects, by https (plain http for loopback only)."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from promptuary.access.token_issuers.errors import IssuerFailed
from promptuary.core.outbound_http import parse_address

SIZE_LIMIT = 512 * 1024
SECONDS = 10.0
_STEP = httpx.Timeout(5.0, connect=3.0)


def is_issuer_url(url: str) -> bool:
    """Return whether an issuer may be asked at an address: https, or http of loopback, without a user or a fragment."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        return False
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.fragment:
        return False
    address = parse_address(parsed.host)
    return parsed.scheme == "https" or parsed.host == "localhost" or (address is not None and address.is_loopback)


def fetch_json(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Send one request; return the status and the JSON object of the response, whatever the status is.

    Args:
        method: GET or POST.
        url: an address for which `is_issuer_url` is true.
        headers: beside those of HTTP.
        form: the fields of a form to send.

    Raises:
        IssuerFailed: for no response within ten seconds, a redirect, one of more than 512 KiB, or no JSON object.
    """
    host = httpx.URL(url).host if is_issuer_url(url) else None
    if host is None:
        raise IssuerFailed("an issuer is asked by https only; plain http is for loopback")
    deadline, content = time.monotonic() + SECONDS, bytearray()
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=_STEP) as client,
            client.stream(method, url, headers={"Accept": "application/json", **(headers or {})}, data=form) as response,
        ):
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > SIZE_LIMIT:
                    raise IssuerFailed(f"the issuer at '{host}' sent more than {SIZE_LIMIT} bytes")
                if time.monotonic() > deadline:
                    raise IssuerFailed(f"the issuer at '{host}' did not answer within {SECONDS:g} seconds")
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        raise IssuerFailed(f"the issuer at '{host}' was not reached: {type(error).__name__}") from None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if response.is_redirect or not isinstance(document, dict):
        raise IssuerFailed(f"the issuer at '{host}' answered {response.status_code} and no JSON object")
    return response.status_code, document
