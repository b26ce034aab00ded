"""Both clients following a server's changes over real connections, and working without them where that is impossible."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.fake_registry import TRIAGE, ready
from client.live_server import LiveServer, threads, wait_until
from client.loopback_server import (
    KEY,
    AsyncHarness,
    Connect,
    Handler,
    Reply,
    black_hole,
    dripping,
    hanging_up,
    lookup_body,
    lookup_reply,
    problem,
)
from client.loopback_server import send as answer
from client.test_process import in_child
from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import Lookup
from promptuary.client.transport import connection
from promptuary.client.versions.selector import Selector

pytestmark = pytest.mark.process

LONG = 3600.0


@pytest.fixture
def server() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.kill()


@pytest.fixture
def follow(connect: Connect, server: LiveServer) -> Callable[..., Any]:
    """Make a client that follows the server, and wait until it does."""

    def make(**options: Any) -> Any:
        client = connect(server.url, **{"ttl": LONG, "follow": True, **options})
        client.get(TRIAGE)
        wait_until(lambda: client.client.following and len(server.requests) > 1)  # an earlier lookup is repeated
        client.settle()
        return client

    return make


def test_a_move_is_there_without_asking(server: LiveServer, follow: Callable[..., Any]) -> None:
    client = follow()
    client.get(TRIAGE, version=1)
    for number in (2, 3, 4):
        server.move("production", number)
        wait_until(lambda number=number: client.get(TRIAGE).version == number)
        prompt = client.get(TRIAGE)
        assert (prompt.source, prompt.stale) == ("memory", False)
    assert client.get(TRIAGE, version=1).version == 1
    (path, headers) = server.streams[0]
    assert path == "/v1/stream"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in headers
    assert len(server.streams) == 1


def test_all_arms_of_a_split_follow(server: LiveServer, follow: Callable[..., Any]) -> None:
    client = follow()
    keys = [f"user-{number}" for number in range(40)]
    for arms in ([(1, 50.0), (2, 50.0)], [(1, 10.0), (2, 90.0)], [(3, 50.0), (2, 50.0)]):
        server.move("production", arms)
        expected = [server.registry.version_for("production", key) for key in keys]
        wait_until(lambda expected=expected: [client.get(TRIAGE, targeting_key=key).version for key in keys] == expected)


def test_a_cached_version_is_served_while_the_new_one_is_on_the_way(server: LiveServer, follow: Callable[..., Any]) -> None:
    client = follow(deadline=20.0)
    client.settle()
    proceed, requests_before = threading.Event(), len(server.requests)

    def slow(handler: Handler) -> None:
        proceed.wait(60)
        server.look_up(handler)

    server.reply = slow
    server.move("production", 2)
    wait_until(lambda: len(server.requests) > requests_before)
    for _ in range(3):
        assert client.get(TRIAGE).version == 1
    assert len(server.requests) == requests_before + 1
    proceed.set()
    wait_until(lambda: client.get(TRIAGE).version == 2)


def test_a_response_that_an_event_overtook_is_requested_again(server: LiveServer, follow: Callable[..., Any]) -> None:
    server.registry.labels["staging"] = 1
    client = follow(deadline=20.0)
    arrived, proceed, versions = threading.Event(), threading.Event(), []

    def late(handler: Handler) -> None:
        if arrived.is_set():
            return server.look_up(handler)
        old = server.registry.look_up(Selector(TRIAGE, "staging", None, None))
        arrived.set()
        proceed.wait(60)
        return answer(old.status, old.body, {"ETag": old.headers["etag"]})(handler)

    server.reply = late
    waiting = threading.Thread(target=lambda: versions.append(client.get(TRIAGE, label="staging").version))
    waiting.start()
    assert arrived.wait(60)
    server.move("staging", 2)
    wait_until(lambda: client.client._core._cache._events)
    proceed.set()
    waiting.join(60)
    assert versions == [1]  # as the server responded
    wait_until(
        lambda: (prompt := client.client._core.fresh_prompt(TRIAGE, "staging", None, None)) and prompt.version == 2
    )  # … without another lookup


def test_what_happened_while_the_stream_was_cut_off_comes_when_it_is_back(
    server: LiveServer, follow: Callable[..., Any]
) -> None:
    client = follow()
    server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    server.move("production", 3, tell=False)
    server.say(None)
    wait_until(lambda: client.get(TRIAGE).version == 3)
    assert [headers.get("Last-Event-ID") for _, headers in server.streams] == [None, "2"]


def test_a_server_that_forgot_what_happened_has_everything_asked_for_again(
    server: LiveServer, follow: Callable[..., Any]
) -> None:
    client = follow()
    server.remembers = False
    server.move("production", 2, tell=False)
    server.say(None)
    wait_until(lambda: client.get(TRIAGE).version == 2)


@pytest.mark.parametrize("chunk", [b"data: {\n\n", ready(1) + b"data: 7\n\n", b"id: 1\ndata: " + b"x" * 2_000_000])
def test_a_stream_of_garbage_is_left_and_begun_anew(chunk: bytes, server: LiveServer, follow: Callable[..., Any]) -> None:
    client = follow()
    server.move("production", 2, tell=False)
    server.say(chunk)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    assert "Last-Event-ID" not in server.streams[-1][1]


def test_a_silent_stream_is_left_and_begun_anew(
    server: LiveServer, follow: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STREAM_TIMEOUT", httpx.Timeout(5.0, read=0.2))
    client = follow()
    server.move("production", 2, tell=False)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    assert len(server.streams) >= 2


NONE: dict[str, Reply] = {
    "404": problem(404, "not_found"),
    "401": problem(401, "not_authenticated"),
    "403": problem(403, "forbidden"),
    "500": answer(500, b""),
    "503": answer(503, b"", {"Retry-After": "30"}),
    "204": answer(204, b""),
    "redirect": answer(302, b"", {"Location": "/elsewhere"}),
    "a page": answer(200, b"<html>", {"Content-Type": "text/html"}),
    "a lookup": lookup_reply(lookup_body()),
    "hangs up": hanging_up,
    "black hole": black_hole,
    "slow body": dripping,
}


@pytest.mark.parametrize("way", list(NONE))
def test_where_there_is_no_stream_prompts_are_asked_for_again_after_the_ttl(
    way: str, server: LiveServer, connect: Connect
) -> None:
    server.stream = NONE[way]
    client = connect(server.url, ttl=0, follow=True)
    client.get(TRIAGE)
    wait_until(lambda: server.streams)
    server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    assert not client.client.following
    client.settle()
    assert server.requests[-1][1]["If-None-Match"]
    client.shut()  # … and nobody waits for it
    wait_until(lambda: not threads())


def test_a_proxy_that_keeps_everything_back_is_no_stream(server: LiveServer, connect: Connect) -> None:
    def buffering(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.server.released.wait(30)

    server.stream = buffering
    client = connect(server.url, ttl=0, follow=True)
    client.get(TRIAGE)
    wait_until(lambda: server.streams)
    server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    assert not client.client.following


def test_nobody_follows_who_does_not_want_to(server: LiveServer, connect: Connect) -> None:
    client = connect(server.url, ttl=0, follow=False)
    for _ in range(3):
        client.get(TRIAGE)
        client.settle()
    assert server.streams == []
    assert not client.client.following


def test_nothing_runs_before_a_server_has_answered_or_after_it_said_no(server: LiveServer, connect: Connect) -> None:
    before = threads()
    client = connect(server.url, follow=True)
    assert threads() == before
    client.get("support.other", label="nobody", fallback="x")
    client.settle()
    server.reply = answer(500, b"")
    client.get("support.third", fallback="x")
    client.settle()
    assert "promptuary-stream" not in threads()
    assert server.streams == []


def test_closing_ends_the_stream_at_once(server: LiveServer, follow: Callable[..., Any]) -> None:
    client = follow()
    client.shut()
    assert not client.client.following
    wait_until(lambda: not threads())
    wait_until(lambda: not server.readers)
    assert client.get(TRIAGE).source == "memory"
    if isinstance(client, AsyncHarness):
        assert not [task for task in asyncio.all_tasks(client.loop) if task.get_name() == "promptuary-stream"]


def test_closing_wakes_who_waits_for_a_stream_on_a_server_that_keeps_connections(server: LiveServer, tmp_path: Path) -> None:
    server.RequestHandlerClass = type("KeepingHandler", (Handler,), {"protocol_version": "HTTP/1.1"})
    server.stream = answer(200, b": alive\n\n", {"Content-Type": "text/event-stream"})  # and that was it
    client = Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20)
    client.get(TRIAGE)
    wait_until(lambda: server.streams)
    server.stream = black_hole
    wait_until(lambda: len(server.streams) > 1)
    client.close()
    wait_until(lambda: not threads())


def test_a_closed_client_does_not_begin_to_follow(server: LiveServer, connect: Connect) -> None:
    client = connect(server.url, follow=True)
    proceed = threading.Event()

    def slow(handler: Handler) -> None:
        proceed.wait(60)
        server.look_up(handler)

    server.reply = slow
    waiting = threading.Thread(target=lambda: client.get(TRIAGE, fallback="x"))
    waiting.start()
    wait_until(lambda: server.requests)
    closing = threading.Thread(target=client.shut)
    closing.start()
    proceed.set()
    closing.join(60)
    waiting.join(60)
    wait_until(lambda: not threads())
    assert server.streams == []


def test_a_client_that_nobody_holds_any_more_lets_go_of_the_stream(server: LiveServer, tmp_path: Path) -> None:
    class Application:
        """Knows its client, which knows it: a circle, which only the garbage collector opens."""

        def __init__(self) -> None:
            self.client = Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, on_lookup=self.count)

        def count(self, _: Lookup) -> None: ...

    applications = [Application()]
    applications[0].client.get(TRIAGE)
    wait_until(lambda: applications[0].client.following and not applications[0].client._pending)
    applications.clear()
    wait_until(lambda: gc.collect() >= 0 and not threads())  # a thread that writes to the disk may know the client for a moment
    wait_until(lambda: not server.readers)


def test_an_async_client_that_nobody_holds_any_more_lets_go_of_the_stream(server: LiveServer, tmp_path: Path) -> None:
    async def scene() -> None:
        client = AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20)
        await client.get(TRIAGE)
        while not client.following or client._loop().pending:
            await asyncio.sleep(0.01)
        http = client._loop().connection
        del client
        gc.collect()
        while [task for task in asyncio.all_tasks() if task.get_name() == "promptuary-stream"]:
            await asyncio.sleep(0.01)
        await http.close()

    asyncio.run(asyncio.wait_for(scene(), 60))
    wait_until(lambda: not server.readers)


def test_the_next_event_loop_takes_over_from_one_that_stopped(server: LiveServer, tmp_path: Path) -> None:
    client = AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=LONG)

    async def scene(label: str) -> None:
        async with client:
            await client.get(TRIAGE, label=label)
            while not client.following:
                await asyncio.sleep(0.01)

    server.registry.labels |= {"staging": 1, "canary": 1}
    for label in ("production", "staging", "canary"):
        asyncio.run(asyncio.wait_for(scene(label), 60))
        assert not client.following
    assert len(server.streams) == 3


def test_a_loop_that_stands_still_loses_the_stream_to_one_that_runs(server: LiveServer, tmp_path: Path) -> None:
    client = AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=LONG)
    server.registry.labels |= {"staging": 1}
    first = asyncio.new_event_loop()

    async def begin(label: str) -> None:
        await client.get(TRIAGE, label=label)
        while not client.following:
            await asyncio.sleep(0.01)

    async def follow() -> None:
        await begin("staging")
        server.move("staging", 2)
        while (await client.get(TRIAGE, label="staging")).version != 2:
            await asyncio.sleep(0.01)
        await client.close()

    async def end() -> None:
        assert client._reader is None or not client._reader.belongs_to(asyncio.get_running_loop())
        await client.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*rest, return_exceptions=True), 60)

    first.run_until_complete(asyncio.wait_for(begin("production"), 60))
    client.following  # noqa: B018 # it still is, for a while: nothing reports that its loop is stopped
    asyncio.run(asyncio.wait_for(follow(), 60))
    first.run_until_complete(end())
    first.close()
    assert len(server.streams) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
class TestFork:
    def test_a_child_follows_by_itself_and_leaves_the_parents_stream_alone(self, server: LiveServer, tmp_path: Path) -> None:
        with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=LONG) as client:
            client.get(TRIAGE)
            wait_until(lambda: client.following)
            wait_until(lambda: not client._pending)

            def work() -> str:
                state = [client.following, "promptuary-stream" in threads(), client.get(TRIAGE).source]
                client.get(TRIAGE, version=1)  # reaches the server
                wait_until(lambda: client.following)
                server_says = Promptuary(server.url, KEY, disk=False, follow=False)
                server_says.get(TRIAGE, label="move-me", fallback="x")  # … which moves the label then
                wait_until(lambda: client.get(TRIAGE).version == 2)
                client.close()
                gc.collect()
                return " ".join(map(str, [*state, threads()]))

            def moving(handler: Handler) -> None:
                if "move-me" in handler.path:
                    server.move("production", 2)
                server.look_up(handler)

            server.reply = moving
            assert in_child(work) == "False False memory []"
            assert [headers.get("Last-Event-ID") for _, headers in server.streams] == [None, "1"]
            server.move("production", 3)
            wait_until(lambda: client.get(TRIAGE).version == 3)
            assert len(server.streams) == 2

    def test_a_child_that_ends_or_forgets_the_client_leaves_the_parents_stream_alone(
        self, server: LiveServer, tmp_path: Path
    ) -> None:
        clients = [Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=LONG)]
        clients[0].get(TRIAGE)
        wait_until(lambda: clients[0].following)
        wait_until(lambda: not clients[0]._pending)

        def work() -> str:
            clients.clear()
            gc.collect()
            return "done"

        assert in_child(work) == "done"
        server.move("production", 2)
        wait_until(lambda: clients[0].get(TRIAGE).version == 2)
        assert len(server.streams) == 1
        clients[0].close()


EXITING = """
import asyncio, sys, time
from promptuary import AsyncPromptuary, Promptuary

def sync(url):
    client = Promptuary(url, disk=False, deadline=20)
    client.get("support.triage")
    while not client.following:
        time.sleep(0.01)
    return client

async def aio(url):
    client = AsyncPromptuary(url, disk=False, deadline=20)
    await client.get("support.triage")
    while not client.following:
        await asyncio.sleep(0.01)
    return client

clients = sync(sys.argv[2]) if sys.argv[1] == "sync" else asyncio.run(aio(sys.argv[2]))
print("following", flush=True)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stream_does_not_keep_the_process_alive(kind: str, server: LiveServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", EXITING, kind, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = process.communicate(timeout=30)  # with a stream that waits 45 s it would not end by then
    assert (process.returncode, out, err) == (0, "following\n", "")
