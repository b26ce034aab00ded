"""The service assembled on the test's database, in this process or on a loopback port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from factories.clock import ManualClock


@pytest.fixture
def app(opened_database: Any, settings: Any, clock: ManualClock) -> Iterator[Any]:
    """The service as it is put together for a server, on the test's database and clock."""
    from promptuary.api.app import create_app

    app = create_app(settings, database=opened_database, clock=clock)
    yield app
    app.close()


@contextmanager
def serve_app(app: Any) -> Iterator[str]:
    """Serve an app with uvicorn on a free loopback port, in a thread that ends with the block; yield its URL."""
    import uvicorn

    opened = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="service")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    """The app on a loopback port; its event streams end before it stops."""
    with serve_app(app) as url:
        yield url
        app.services.change_feed.close()


@pytest.fixture
def api(app: Any) -> Iterator[Any]:
    """An HTTP client of the app in this process, without any rights of its own."""
    from starlette.testclient import TestClient

    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def local(app: Any) -> Iterator[Any]:
    """An HTTP client of the app in this process, with the rights of the machine's operator in the project `default`."""
    from starlette.testclient import TestClient

    from promptuary.access.auth.request import LOCAL_PROJECT

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    with TestClient(as_operator, base_url="http://127.0.0.1") as client:
        yield client
