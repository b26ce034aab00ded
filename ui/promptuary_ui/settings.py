"""Where the API is; the UI's only setting, and the only place that reads the environment."""

import os

DEFAULT_URL = "http://127.0.0.1:8400"


def api_url() -> str:
    """Give the API's base URL from `PROMPTUARY_URL`, by default the local server's."""
    return os.environ.get("PROMPTUARY_URL", "").strip().rstrip("/") or DEFAULT_URL
