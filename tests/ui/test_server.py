"""The UI's server as it is started, in a process of its own: what it answers, and to whom."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from factories.processes import free_port, wait_until_ready
from promptuary_ui.launch import command

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the UI; there is no API behind it."""
    port = free_port()
    arguments, environment = command("127.0.0.1", port, "http://127.0.0.1:9")
    log: Path = tmp_path_factory.mktemp("pages") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{address}/_stcore/health", process)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def test_the_page_is_answered_with_its_security_headers(pages: str) -> None:
    response = httpx.get(pages)
    assert response.status_code == 200
    assert response.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/", "/review", "/_stcore/health", "/_stcore/host-config"])
def test_another_host_gets_no_page(pages: str, path: str) -> None:
    assert httpx.get(pages + path, headers={"Host": "evil.test"}).status_code == 400


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent", "/_stcore/upload_file/a/b", "/auth/login"])
def test_strangers_get_neither_metrics_nor_uploads(pages: str, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert httpx.request(method, pages + path).status_code == 404


def test_a_websocket_opens_from_the_pages_own_origin_only(pages: str) -> None:
    address = pages.replace("http", "ws") + "/_stcore/stream"
    with connect(address, origin=pages, subprotocols=["streamlit"]):
        pass
    for origin in ("http://127.0.0.1:9999", pages.replace("127.0.0.1", "localhost"), "http://evil.test", None):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=origin, subprotocols=["streamlit"])
        assert refused.value.response.status_code == 403
