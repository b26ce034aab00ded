"""The service on loopback, as SDKs of others find it, and what they sent there."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat.sdk_service import Service
from factories.apps import serve_app


@pytest.fixture
def service(sqlite: Any, app: Any) -> Iterator[Service]:
    """The app behind uvicorn on a free port, and the requests that reached it."""
    requests: list[str] = []

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        async def out(message: Any) -> None:
            if message["type"] == "http.response.start":
                query = scope["query_string"].decode()
                target = scope["raw_path"].decode() + (f"?{query}" if query else "")
                requests.append(f"{scope['method']} {target} {message['status']}")
            await send(message)

        await app(scope, receive, out)

    with serve_app(noted) as url:
        yield Service(url, requests)


@pytest.fixture
def register(local: Any) -> Callable[..., int]:
    """Register a version over `/v1`: `register("a", "Hi {{name}}", labels=["production"])` gives its number."""

    def make(name: str, template: Any, **more: Any) -> int:
        body = {"type": "text" if isinstance(template, str) else "chat", "template": template, **more}
        answer = local.post(f"/v1/prompts/{name}/versions", json=body)
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["version"])

    return make
