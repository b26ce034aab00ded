"""The pages in Streamlit's own simulation, in front of the real API in this process."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from paths import ROOT

APP = ROOT / "ui" / "promptuary_ui" / "app.py"


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


@pytest.fixture
def requests() -> list[httpx.Request]:
    """Every request that the pages made, in order."""
    return []


@pytest.fixture
def opened(
    answers: dict[str, Any], requests: list[httpx.Request], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Open a page by its name, signed in, in front of the module's `answers` by path; more arguments are the address's query.

    An answer may be a function of the request; a number is the status of a refusal.
    """
    from streamlit.testing.v1 import AppTest

    from promptuary_ui import session
    from promptuary_ui.wire.caller import Caller

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        found = answers[request.url.path]
        found = found(request) if callable(found) else found
        if isinstance(found, int):
            return httpx.Response(found, json={"detail": "it cannot be done"})
        return httpx.Response(200, json=found)

    with httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(answer)) as client:
        monkeypatch.setattr(session, "connect", lambda _url: client)
        session._connection.cache_clear()

        def page(name: str, scopes: tuple[str, ...] = (), **query: str) -> Any:
            script = f"from promptuary_ui.page import {name}\n{name}.show()"
            found = AppTest.from_string(script, default_timeout=30)
            found.session_state["promptuary.key"] = "pmt_mine"
            found.session_state["promptuary.who"] = Caller(project="p", actor="key:me", role="ci", scopes=frozenset(scopes))
            found.query_params.update(query)
            found.run()
            assert not found.exception
            return found

        yield page


@pytest.fixture
def shown() -> Callable[[Any], str]:
    """Give all that a page says, as one text."""

    def told(page: Any) -> str:
        kinds = (page.markdown, page.caption, page.text, page.code, page.title, page.subheader, page.info, page.error)
        return "\n".join(str(found.value) for kind in (*kinds, page.success, page.warning) for found in kind)

    return told


def button(page: Any, label: str) -> Any:
    """Find a button by its label."""
    return next(found for found in page.button if found.label == label)
