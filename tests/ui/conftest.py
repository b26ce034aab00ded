"""The pages in Streamlit's own simulation, in front of the real API in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

APP = Path(__file__).parents[2] / "ui" / "promptuary_ui" / "app.py"


@pytest.fixture
def connection(api: Any) -> Iterator[httpx.Client]:
    """A connection of the UI's own kind to the API in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        path = request.url.raw_path.decode()
        given = api.request(request.method, path, headers=headers, content=request.content)
        return httpx.Response(given.status_code, headers=dict(given.headers), content=given.content)

    with httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(answer)) as client:
        yield client


@pytest.fixture
def app_test(connection: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Open the app: `app_test()` at the sign-in, `app_test(key)` signed in; more arguments are the address's query."""
    from streamlit.testing.v1 import AppTest

    from promptuary_ui import session

    monkeypatch.setattr(session, "connect", lambda _url: connection)
    session._connection.cache_clear()

    def opened(key: str | None = None, **query: str) -> Any:
        page = AppTest.from_file(str(APP), default_timeout=20)
        page.query_params.update(query)
        page.run()
        if key is not None:
            page.text_input[0].set_value(key)
            button(page, "Sign in").click().run()
        assert not page.exception
        return page

    return opened


def button(page: Any, label: str) -> Any:
    """Find a button by its label."""
    return next(found for found in page.button if found.label == label)
