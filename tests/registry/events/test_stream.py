"""The stream over a real server: it sends every change once and in order, and can be resumed."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from promptuary.access.service import AccessService
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.change_feed.factory import create_change_feed
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.errors import Unavailable
from promptuary.prompt.content import Content
from promptuary.registry.events import stream
from promptuary.registry.events.stream import EventStream
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]
WAIT = 20.0


class Follower:
    """A client of the stream; `next()` waits for the next event."""

    def __init__(self, url: str, headers: dict[str, str], after: int | None = None) -> None:
        headers = headers if after is None else {**headers, "Last-Event-ID": str(after)}
        self._context = httpx.stream("GET", f"{url}/v1/stream", headers=headers, timeout=WAIT)
        self.response = self._context.__enter__()
        self._lines = self.response.iter_lines()

    def next(self) -> tuple[int, str, dict[str, Any]]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                fields[name] = value
        raise EOFError

    def close(self) -> None:
        self._context.__exit__(None, None, None)


@pytest.fixture
def follow(url: str, bearer: Callable[..., dict[str, str]]) -> Iterator[Callable[..., Follower]]:
    followers: list[Follower] = []

    def connect(project: str = "default", after: int | None = None) -> Follower:
        followers.append(Follower(url, bearer("reader", project), after))
        return followers[-1]

    yield connect
    for follower in followers:
        follower.close()


@pytest.fixture
def change_feed(sqlite: Any) -> Iterator[ChangeFeed]:
    feed = create_change_feed(sqlite, "SELECT id, revision, access_revision FROM project")
    yield feed
    feed.close()


def register(unit_as: Units, template: str, *labels: str, name: str = "p", project: str = "default") -> None:
    with unit_as("author", project) as unit:
        Registry(unit).register(name, Content(type="text", template=template), labels=labels)


def test_the_stream_sends_every_change_with_its_detail(database: Any, unit_as: Units, follow: Callable[..., Follower]) -> None:
    follower = follow()
    assert follower.response.headers["content-type"].startswith("text/event-stream")
    assert follower.next() == (0, "ready", {"revision": 0, "resumed": True})
    register(unit_as, "one", "production")
    id_, kind, body = follower.next()
    assert (id_, kind) == (1, "version.created")
    assert body.pop("digest").startswith("sha256:")
    assert body == {"revision": 1, "prompt": "p", "at": "2026-03-02T12:00:00.000000Z", "version": 1}
    assert follower.next()[1:] == (
        "label.moved",
        {
            "revision": 2,
            "prompt": "p",
            "at": "2026-03-02T12:00:00.000000Z",
            "label": "production",
            "version": 1,
            "split": None,
            "previous": None,
        },
    )
    register(unit_as, "two")
    with unit_as("author") as unit:
        Labels(unit).split("p", "production", [(1, 1.0), (2, 1.0)], "not for everybody's eyes")
        Registry(unit).archive("p", "")
        Registry(unit).restore("p", "")
    assert follower.next()[0] == 3
    id_, kind, body = follower.next()
    assert (id_, kind, body["version"], len(body["split"]["arms"])) == (4, "label.moved", None, 2)
    assert "reason" not in body
    assert [follower.next()[:2] for _ in range(2)] == [(5, "prompt.archived"), (6, "prompt.restored")]


def test_a_follower_resumes_after_its_last_event(database: Any, unit_as: Units, follow: Callable[..., Follower]) -> None:
    for number in range(5):
        register(unit_as, f"text {number}")
    follower = follow(after=2)
    assert follower.next() == (2, "ready", {"revision": 5, "resumed": True})
    assert [follower.next()[0] for _ in range(3)] == [3, 4, 5]
    register(unit_as, "more")
    assert follower.next()[0] == 6


def test_the_stream_reports_that_it_cannot_resume(
    unit_as: Units, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "REPLAY_LIMIT", 3)
    for number in range(5):
        register(unit_as, f"text {number}")
    assert follow(after=9).next() == (5, "ready", {"revision": 5, "resumed": False})
    assert follow(after=1).next() == (5, "ready", {"revision": 5, "resumed": False})
    assert follow(after=2).next() == (2, "ready", {"revision": 5, "resumed": True})


def test_a_stream_has_only_the_events_of_its_project(unit_as: Units, follow: Callable[..., Follower]) -> None:
    follower = follow("shop")
    assert follower.next()[0] == 0
    register(unit_as, "one")
    register(unit_as, "one", project="shop", name="q")
    assert follower.next()[2]["prompt"] == "q"


def test_many_followers_receive_all_events_in_order_from_many_writers(
    database: Any, unit_as: Units, follow: Callable[..., Follower]
) -> None:
    followers = [follow() for _ in range(8)]
    assert {follower.next()[0] for follower in followers} == {0}
    writers = [
        threading.Thread(target=lambda name=name: [register(unit_as, f"{name} {at}", name=name) for at in range(8)])
        for name in "abc"
    ]
    for writer in writers:
        writer.start()
    for follower in followers:
        assert [follower.next()[0] for _ in range(24)] == list(range(1, 25))
    for writer in writers:
        writer.join()


def test_old_events_are_read_again_for_a_follower_far_behind(
    unit_as: Units, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RECENT_EVENTS", 4)
    monkeypatch.setattr(stream, "BATCH", 3)
    first = follow(after=0)
    for number in range(20):
        register(unit_as, f"text {number}")
    assert [first.next()[0] for _ in range(21)] == list(range(21))
    second = follow(after=0)
    assert [second.next()[0] for _ in range(21)] == list(range(21))


@pytest.mark.parametrize("last_event_id", ["-1", "x", "1.5"])
def test_an_invalid_last_event_id_is_refused(url: str, bearer: Callable[..., dict[str, str]], last_event_id: str) -> None:
    response = httpx.get(f"{url}/v1/stream", headers={**bearer("reader"), "Last-Event-ID": last_event_id})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_without_a_key_there_is_no_stream(url: str) -> None:
    assert httpx.get(f"{url}/v1/stream").status_code == 401


def test_a_stream_sends_keep_alives_until_its_key_expires(
    url: str,
    unit_as: Units,
    clock: Any,
    bearer: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.05)
    with httpx.stream("GET", f"{url}/v1/stream", headers=bearer("reader", days=1), timeout=WAIT) as response:
        lines = response.iter_lines()
        while next(lines) != ": alive":
            pass
        clock.move(days=2)
        assert set(lines) <= {"", ": alive"}


def test_the_stream_of_a_revoked_key_ends(
    url: str, unit_as: Units, bearer: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.05)
    headers = bearer("reader")
    with httpx.stream("GET", f"{url}/v1/stream", headers=headers, timeout=WAIT) as response:
        lines = response.iter_lines()
        while next(lines) != ": alive":
            pass
        with unit_as("operator") as unit:
            AccessService(unit).revoke_key(headers["Authorization"].split("_")[1])
        assert set(lines) <= {"", ": alive"}


def test_more_followers_than_the_limit_are_told_to_poll(app: Any, follow: Callable[..., Follower]) -> None:
    app.services.event_stream._limit = 1
    first = follow()
    first.next()
    refused = follow()
    assert refused.response.status_code == 503
    assert refused.response.read().decode().count("1 clients follow the stream already; poll with If-None-Match") == 1


def test_a_follower_counts_until_its_block_ends(sqlite: Any, change_feed: ChangeFeed) -> None:
    event_stream = EventStream(sqlite, change_feed, 1)
    with event_stream.reserve(), pytest.raises(Unavailable, match="1 clients follow the stream already"):
        with event_stream.reserve():
            pass
    with event_stream.reserve():
        pass


def test_events_trimmed_while_a_follower_waits_are_read_from_the_database(
    sqlite: Any, unit_as: Units, change_feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RECENT_EVENTS", 2)
    for number in range(6):
        register(unit_as, f"text {number}")

    async def wait_while_another_follower_trims() -> list[int]:
        event_stream = EventStream(sqlite, change_feed, 2)
        await event_stream._events_after(1, 0, 2)
        recent = event_stream._recent[1]
        async with recent.reading:
            waiting = asyncio.ensure_future(event_stream._events_after(1, 0, 6))
            await asyncio.sleep(0)  # until it waits for the lock
            await event_stream._read_until(1, recent, 6)
            recent.trim()
        return [revision for revision, _ in await waiting]

    assert asyncio.run(wait_while_another_follower_trims()) == [1, 2, 3, 4, 5, 6]


def test_a_server_that_stops_ends_its_streams(app: Any, follow: Callable[..., Follower]) -> None:
    follower = follow()
    follower.next()
    app.services.change_feed.close()
    with pytest.raises(EOFError):
        follower.next()
