"""Starts the UI with all of its Streamlit options; see `python -m promptuary_ui.launch --help`."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from promptuary_ui.settings import DEFAULT_URL, allowed_hosts, api_url, public_origin, read_connection_limits

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8401
_LIGHT = {
    "primaryColor": "#2f6f62",
    "backgroundColor": "#fdfcfa",
    "secondaryBackgroundColor": "#f3f1ec",
    "textColor": "#22302d",
    "borderColor": "#dedad1",
    "codeTextColor": "#22302d",
    "codeBackgroundColor": "#f6f4ef",
    "sidebar.backgroundColor": "#f3f1ec",
}
_DARK = {
    "primaryColor": "#6bb5a4",
    "backgroundColor": "#151b1a",
    "secondaryBackgroundColor": "#1e2624",
    "textColor": "#e4e8e5",
    "borderColor": "#384340",
    "codeTextColor": "#e4e8e5",
    "codeBackgroundColor": "#1e2624",
    "sidebar.backgroundColor": "#1a2120",
}
THEME: Mapping[str, object] = {
    "theme.showWidgetBorder": True,
    "theme.baseRadius": "medium",
    "theme.headingFontSizes": ["1.8rem", "1.35rem", "1.15rem"],
    "theme.chartCategoricalColors": ["#2f7f9e", "#d98a3d", "#6a9a4f", "#9a6bb0", "#c25f74", "#7c7f86", "#b59a2c", "#3f9c8c"],
    **{f"theme.light.{name}": value for name, value in _LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in _DARK.items()},
}
"""Light or dark, by the browser's preference."""


def options(host: str, port: int) -> dict[str, object]:
    """Return Streamlit's options: no telemetry, no tracebacks on pages, no file watcher, only the allowed hosts."""
    return {
        "server.address": host,
        "server.port": port,
        "server.allowedHosts": allowed_hosts(host),
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableStaticServing": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "runner.magicEnabled": False,  # would show the text below a constant on every page
        "runner.postScriptGC": False,  # a full collection after every run delays the next answer by about 100 ms
        "client.disableDataExport": True,  # a table's CSV would carry a model's text into a spreadsheet as a formula
        **THEME,
    }


def command(host: str, port: int, url: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts the UI, and the variables to add to its environment.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        url: the API's base URL.
    """
    arguments = [sys.executable, "-m", "promptuary_ui.launch", "--host", host, "--port", str(port)]
    return arguments, {"PROMPTUARY_URL": url}


def run(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, url: str | None = None) -> None:
    """Serve the UI until the process is stopped.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        url: the API's base URL; by default that of `PROMPTUARY_URL`.
    """
    import streamlit as st
    from starlette.middleware import Middleware

    from promptuary_ui.connection_limits import limit_connections
    from promptuary_ui.request_checks import RequestChecks
    from promptuary_ui.review.routes import ReviewRoutes
    from promptuary_ui.security_headers import SecurityHeaders, page_policy
    from promptuary_ui.session import connection
    from promptuary_ui.sign_in.cookie import session_cookie
    from promptuary_ui.sign_in.provider_routes import ProviderRoutes
    from promptuary_ui.sign_in.routes import SignInRoutes

    limit_connections(read_connection_limits())
    os.environ["PROMPTUARY_URL"] = url or api_url()
    middleware = [Middleware(SecurityHeaders, page_policy()), Middleware(RequestChecks, allowed_hosts(host), public_origin())]
    sign_in = SignInRoutes(session_cookie(port, public_origin()), public_origin(), connection)
    routes = [*sign_in.routes(), *ProviderRoutes(sign_in).routes(), *ReviewRoutes(sign_in).routes()]
    app = st.App(Path(__file__).with_name("app.py"), middleware=middleware, routes=routes)
    app.run(config=options(host, port))


def main() -> None:
    """Parse the command line and serve the UI."""
    parser = argparse.ArgumentParser(prog="python -m promptuary_ui.launch", description="Serve Promptuary's pages.")
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"the address to listen on (default {DEFAULT_HOST})")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"the port to listen on (default {DEFAULT_PORT})")
    parser.add_argument("--url", default=None, help=f"the API's base URL (default PROMPTUARY_URL, else {DEFAULT_URL})")
    arguments = parser.parse_args()
    run(arguments.host, arguments.port, arguments.url)


if __name__ == "__main__":
    main()
