"""The service on loopback, as SDKs of others find it, and what they sent there."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat.listening import Service


@pytest.fixture
def service(sqlite: Any, app: Any) -> Iterator[Service]:
    """The app behind uvicorn on a free port, in a thread that ends with the test."""
    import uvicorn

    opened = socket.create_server(("127.0.0.1", 0))
    service = Service(f"http://127.0.0.1:{opened.getsockname()[1]}")

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        async def out(message: Any) -> None:
            if message["type"] == "http.response.start":
                query = scope["query_string"].decode()
                target = scope["raw_path"].decode() + (f"?{query}" if query else "")
                service.requests.append(f"{scope['method']} {target} {message['status']}")
            await send(message)

        await app(scope, receive, out)

    server = uvicorn.Server(uvicorn.Config(noted, log_config=None, access_log=False, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="service")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield service
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def register(local: Any) -> Callable[..., int]:
    """Register a version over `/v1`: `register("a", "Hi {{name}}", labels=["production"])` gives its number."""

    def make(name: str, template: Any, **more: Any) -> int:
        body = {"type": "text" if isinstance(template, str) else "chat", "template": template, **more}
        answer = local.post(f"/v1/prompts/{name}/versions", json=body)
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["version"])

    return make
