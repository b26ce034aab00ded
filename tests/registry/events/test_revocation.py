"""A stream ends at once when its key or session does, and sends no event that was committed afterwards.

Nothing here depends on the keep-alive: it is longer than a test may take.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest

from factories.apps import serve_app
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.api.app import create_app
from promptuary.core.database import Database
from promptuary.prompt.content import Content
from promptuary.registry.events import stream
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]
Headers = dict[str, str]
WAIT = 30.0
EndIt = Callable[[Any, dict[str, str]], Any]


@pytest.fixture(autouse=True)
def _no_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 600.0)


@pytest.fixture
def operator(url: str, bearer: Callable[..., Headers]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/v1", headers=bearer("operator"), timeout=WAIT) as client:
        yield client


@pytest.fixture
def dana(operator: httpx.Client) -> dict[str, str]:
    """A person's id, key and session token, with the ids of the last two."""
    person = operator.post("/people", json={"name": "Dana", "role": "viewer"}).json()["id"]
    key = operator.post("/keys", json={"name": "laptop", "role": "viewer", "person": person}).json()
    code = operator.post(f"/people/{person}/codes").json()["code"]
    session = httpx.post(f"{operator.base_url}sessions", headers=carry(code)).json()
    return {
        "person": person,
        "key": key["key"],
        "key_id": key["id"],
        "session": session["token"],
        "session_id": session["id"],
    }


def carry(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


@contextmanager
def following(url: str, credential: str) -> Iterator[Iterator[str]]:
    """Follow the stream; yield its lines after `ready`."""
    with httpx.stream("GET", f"{url}/v1/stream", headers=carry(credential), timeout=WAIT) as response:
        lines = response.iter_lines()
        while not next(lines).startswith("data: "):
            pass
        yield lines


def register(unit_as: Units, template: str) -> None:
    with unit_as("author") as unit:
        Registry(unit).register("p", Content(type="text", template=template))


def revoke_key(operator: httpx.Client, dana: dict[str, str]) -> None:
    assert operator.delete(f"/keys/{dana['key_id']}").status_code == 204


def end_session(operator: httpx.Client, dana: dict[str, str]) -> None:
    path = f"{operator.base_url}sessions/{dana['session_id']}"
    assert httpx.delete(path, headers=carry(dana["session"])).status_code == 204


def deactivate(operator: httpx.Client, dana: dict[str, str]) -> None:
    assert operator.post(f"/people/{dana['person']}/deactivate").status_code == 200


def end_membership(operator: httpx.Client, dana: dict[str, str]) -> None:
    assert operator.delete(f"/people/{dana['person']}/memberships/default").status_code == 204


@pytest.mark.parametrize(
    ("credential", "end"),
    [
        ("key", revoke_key),
        ("key", deactivate),
        ("key", end_membership),
        ("session", end_session),
        ("session", deactivate),
        ("session", end_membership),
    ],
)
def test_a_stream_ends_at_once_with_its_key_or_session(
    url: str, operator: httpx.Client, dana: dict[str, str], unit_as: Units, credential: str, end: EndIt
) -> None:
    with following(url, dana[credential]) as lines:
        register(unit_as, "before")
        while not next(lines).startswith("data: "):
            pass
        end(operator, dana)
        register(unit_as, "after")
        assert [line for line in lines if line] == []


def test_a_stream_ends_in_another_process_too(
    database: Database, settings: Any, clock: Any, url: str, operator: httpx.Client, dana: dict[str, str], unit_as: Units
) -> None:
    connections = database.with_own_connections(4)
    other = create_app(settings, database=connections, clock=clock)
    try:
        with serve_app(other) as other_url:
            with following(other_url, dana["key"]) as lines:
                revoke_key(operator, dana)
                register(unit_as, "after")
                assert [line for line in lines if line] == []
            other.services.change_feed.close()
    finally:
        other.close()
        connections.dispose()


def test_a_stream_goes_on_when_the_access_of_others_changes(
    url: str, operator: httpx.Client, dana: dict[str, str], unit_as: Units
) -> None:
    with following(url, dana["key"]) as lines:
        for _ in range(3):
            key = operator.post("/keys", json={"name": "k", "role": "viewer"}).json()["id"]
            operator.delete(f"/keys/{key}")
        end_session(operator, dana)
        register(unit_as, "after")
        assert next(line for line in lines if line.startswith("event:")) == "event: version.created"


def test_no_event_after_the_expiry_of_a_key_is_sent(
    url: str, bearer: Callable[..., Headers], unit_as: Units, clock: Any
) -> None:
    credential = bearer("viewer", days=1)["Authorization"].removeprefix("Bearer ")
    with following(url, credential) as lines:
        clock.move(days=1)
        register(unit_as, "after")
        assert [line for line in lines if line] == []
