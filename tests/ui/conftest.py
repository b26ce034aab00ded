"""The pages in Streamlit's own simulation, in front of the real API in this process."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from paths import ROOT

APP = ROOT / "ui" / "promptuary_ui" / "app.py"


@pytest.fixture(autouse=True)
def own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the main module back after a test: the simulation replaces it by a page, which spawned processes would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def connection(api: Any) -> Iterator[httpx.Client]:
    """A connection of the UI's own kind to the API in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        path = request.url.raw_path.decode()
        response = api.request(request.method, path, headers=headers, content=request.content)
        return httpx.Response(response.status_code, headers=dict(response.headers), content=response.content)

    with httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(answer)) as client:
        yield client


@pytest.fixture
def app_test(connection: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Open the app: `app_test()` without a session, `app_test(key)` with one; more arguments are the address's query."""
    from streamlit.testing.v1 import AppTest

    from promptuary_ui import session

    monkeypatch.setattr(session, "connect", lambda _url: connection)
    session._connection.cache_clear()

    def open_page(key: str | None = None, **query: str) -> Any:
        monkeypatch.setattr(session, "token", lambda: key)
        page = AppTest.from_file(str(APP), default_timeout=20)
        page.query_params.update(query)
        page.run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def requests() -> list[httpx.Request]:
    """Every request that the pages made, in order."""
    return []


@pytest.fixture
def open_page(
    responses: dict[str, Any], requests: list[httpx.Request], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Open a page by its name, signed in, in front of the module's `responses` by path; more arguments are the address's query.

    A response may be a function of the request; a number is the status of a refusal.
    """
    from streamlit.testing.v1 import AppTest

    from promptuary_ui import session
    from promptuary_ui.wire.caller import Caller

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        response = responses[request.url.path]
        response = response(request) if callable(response) else response
        if isinstance(response, int):
            return httpx.Response(response, json={"detail": "the action is not possible"})
        return httpx.Response(200, json=response)

    with httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(answer)) as client:
        monkeypatch.setattr(session, "connect", lambda _url: client)
        monkeypatch.setattr(session, "token", lambda: "pms_mine")
        session._connection.cache_clear()

        def page(name: str, scopes: tuple[str, ...] = (), **query: str) -> Any:
            script = f"from promptuary_ui.page import {name}\n{name}.show()"
            app_page = AppTest.from_string(script, default_timeout=30)
            app_page.session_state["promptuary.who"] = Caller(project="p", actor="key:me", role="ci", scopes=frozenset(scopes))
            app_page.query_params.update(query)
            app_page.run()
            assert not app_page.exception
            return app_page

        yield page


@pytest.fixture
def page_text() -> Callable[[Any], str]:
    """Return a function that joins all texts of a page."""

    def content(page: Any) -> str:
        kinds = (page.markdown, page.caption, page.text, page.code, page.title, page.subheader, page.info, page.error)
        return "\n".join(str(element.value) for kind in (*kinds, page.success, page.warning) for element in kind)

    return content
