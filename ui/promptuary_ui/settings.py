"""The settings of the UI; the only module of the UI that reads the environment."""

import os
from urllib.parse import urlsplit

from promptuary.http_server.limits import ConnectionLimits

DEFAULT_URL = "http://127.0.0.1:8400"


def api_url() -> str:
    """Return the API's base URL from `PROMPTUARY_URL`, by default the local server's."""
    return os.environ.get("PROMPTUARY_URL", "").strip().rstrip("/") or DEFAULT_URL


def allowed_hosts(host: str) -> list[str]:
    """Return the accepted Host names: loopback names, the bound address and `PROMPTUARY_ALLOWED_HOSTS`."""
    configured = (name.strip() for name in os.environ.get("PROMPTUARY_ALLOWED_HOSTS", "").split(","))
    return sorted({"127.0.0.1", "localhost", "[::1]", host, *filter(None, configured)})


def public_origin() -> str | None:
    """Return the origin of the pages behind a proxy, from `PROMPTUARY_PUBLIC_UI_URL`; None where that is not set."""
    parts = urlsplit(os.environ.get("PROMPTUARY_PUBLIC_UI_URL", "").strip())
    if not parts.scheme or not parts.netloc:
        return None
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme.lower(), "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(default_port)}".lower()  # browsers omit it


def read_connection_limits() -> ConnectionLimits:
    """Return the limits of connections from the variables that the API's server reads, too.

    Raises:
        SystemExit: for a variable that is no positive number.
    """
    limits = ConnectionLimits()
    return ConnectionLimits(
        header_bytes=int(_positive("PROMPTUARY_HEADER_LIMIT", limits.header_bytes)),
        header_count=int(_positive("PROMPTUARY_HEADER_COUNT", limits.header_count)),
        header_seconds=_positive("PROMPTUARY_HEADER_TIMEOUT", limits.header_seconds),
        body_seconds=_positive("PROMPTUARY_BODY_TIMEOUT", limits.body_seconds),
        keep_alive_seconds=_positive("PROMPTUARY_KEEP_ALIVE_TIMEOUT", limits.keep_alive_seconds),
        send_seconds=_positive("PROMPTUARY_SEND_TIMEOUT", limits.send_seconds),
        connections=int(_positive("PROMPTUARY_CONNECTION_LIMIT", limits.connections)),
    )


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise SystemExit(f"{name} is not a positive number: {text}")
    return number
