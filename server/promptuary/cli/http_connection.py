"""HTTP between a command and the service: a server, or the same app in this process."""

from typing import Any

import httpx

from promptuary.cli.errors import ServiceUnreachable
from promptuary.prompt.errors import FieldError, Invalid

TIMEOUT = httpx.Timeout(60.0, connect=5.0)


def server_client(url: str, key: str) -> httpx.Client:
    """Return a client of a server.

    Args:
        url: the server's address, without `/v1`.
        key: the API key; "" for none.

    Raises:
        Invalid: with the name of the variable that cannot be used.
    """
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


def send(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """Send a request to a path under `/v1`.

    Raises:
        Invalid: for a request that HTTP or JSON cannot express.
        ServiceUnreachable: when nothing answers.
    """
    try:
        request = client.build_request(method, f"/v1{path}", **more)
    except (ValueError, httpx.InvalidURL) as error:  # NaN, a lone surrogate, an incomplete address
        raise Invalid("the request cannot be sent", [FieldError("", str(error))]) from None
    try:
        return client.send(request)
    except httpx.HTTPError as error:
        raise ServiceUnreachable(
            f"{client.base_url} does not answer ({type(error).__name__}); start it, or unset PROMPTUARY_URL"
        ) from error
