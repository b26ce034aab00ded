"""Where the API is, and the names that the pages answer to: the only place of the UI that reads the environment."""

import os

DEFAULT_URL = "http://127.0.0.1:8400"


def api_url() -> str:
    """Give the API's base URL from `PROMPTUARY_URL`, by default the local server's."""
    return os.environ.get("PROMPTUARY_URL", "").strip().rstrip("/") or DEFAULT_URL


def allowed_hosts(host: str) -> list[str]:
    """Give the Host names that a browser may come by: loopback's, the bound address, and `PROMPTUARY_ALLOWED_HOSTS`."""
    named = (name.strip() for name in os.environ.get("PROMPTUARY_ALLOWED_HOSTS", "").split(","))
    return sorted({"127.0.0.1", "localhost", "[::1]", host, *filter(None, named)})
