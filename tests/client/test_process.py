"""What threads, forks, event loops and cancellations do to a client."""

import asyncio
import os
import threading
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.live_server import LiveServer, wait_until
from client.loopback_server import KEY, SILENCE, Handler, Server, black_hole, lookup_body, lookup_reply, set_deadline
from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import PromptUnavailable, Reason
from promptuary.client.transport.connection import STREAM_CANCELLED
from promptuary.client.transport.wire import CLIENT_CLOSED, TIMED_OUT

pytestmark = pytest.mark.process

TRIAGE = "support.triage"


def in_child(work: Callable[[], str]) -> str:
    """Fork, do the work in the child, and return its output."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, work().encode())
        except BaseException as error:  # the child must end here, whatever happens
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        output = pipe.read()
    os.waitpid(child, 0)
    return output


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
class TestFork:
    def test_a_child_looks_up_with_connections_of_its_own(self, server: Server, tmp_path: Path) -> None:
        with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20) as client:
            client.get(TRIAGE)
            server.reply = lookup_reply(lookup_body(name="support.other"))
            output = in_child(lambda: f"{client.get(TRIAGE).source} {client.get('support.other').source}")
            assert output == "memory server"
            assert client.get("support.other", label="staging").source == "server"

    def test_a_child_does_not_wait_for_locks_and_requests_of_the_parents_threads(self, server: Server, tmp_path: Path) -> None:
        with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20) as client:
            disk = client._components.disk
            assert disk is not None
            arrived, proceed, reply = threading.Event(), threading.Event(), server.reply

            def slow(handler: Handler) -> None:
                arrived.set()
                proceed.wait(60)
                reply(handler)

            server.reply = slow
            waiting = threading.Thread(target=lambda: client.get(TRIAGE))
            waiting.start()
            assert arrived.wait(20)
            server.reply = reply
            with (
                client._lock,
                client._core._lock,
                client._core._warnings._lock,
                client._core._cache._lock,
                client._connection._lock,
                disk.cache._lock,
            ):
                output = in_child(lambda: client.get(TRIAGE).source)
            proceed.set()
            waiting.join(60)
            assert output == "server"

    def test_a_child_with_a_stream_of_its_own_has_inherited_copies_confirmed_once(self, tmp_path: Path) -> None:
        server, confirmed = LiveServer(), get_context("fork").Event()

        def look_up(handler: Handler) -> None:
            if handler.headers.get("If-None-Match") and "production" in handler.path:
                confirmed.set()
            server.look_up(handler)

        with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=1e6) as client:
            client.get(TRIAGE)
            wait_until(lambda: client.following and len(server.requests) == 2)  # its own stream has them confirmed, too
            wait_until(lambda: not client._pending)
            server.reply = look_up

            def work() -> str:
                inherited = client.get(TRIAGE).source
                client.get(TRIAGE, version=1)  # the first request of the child opens its stream
                wait_until(confirmed.is_set)
                wait_until(lambda: client.following and not client._pending)
                return f"{inherited}, then {client.get(TRIAGE).source}"

            assert in_child(work) == "memory, then memory"
            assert client.get(TRIAGE).source == "memory"
        tags = [headers.get("If-None-Match") for path, headers in server.requests if "production" in path]
        assert (len(tags), tags.index(None), tags.count(None)) == (3, 0, 1)
        server.kill()

    def test_a_child_has_an_event_loop_and_connections_of_its_own(self, server: Server, tmp_path: Path) -> None:
        client = AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20)

        async def get(label: str) -> str:
            async with client:
                return (await client.get(TRIAGE, label=label)).source

        assert asyncio.run(get("staging")) == "server"
        assert in_child(lambda: asyncio.run(get("production"))) == "server"


def test_one_async_client_serves_several_loops_one_after_the_other(server: Server, tmp_path: Path) -> None:
    client = AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20)

    async def get(label: str) -> str:
        async with client:
            return (await client.get(TRIAGE, label=label)).source

    assert [asyncio.run(get(label)) for label in ("a", "b", "a")] == ["server", "server", "memory"]


def test_who_stops_waiting_does_not_stop_the_request_for_the_others(server: Server, tmp_path: Path) -> None:
    async def scene() -> str:
        async with AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=20) as client:
            proceed, reply = threading.Event(), server.reply

            def slow(handler: Handler) -> None:
                proceed.wait(60)
                reply(handler)

            server.reply = slow
            impatient = asyncio.create_task(client.get(TRIAGE))
            patient = asyncio.create_task(client.get(TRIAGE))
            await asyncio.sleep(0)
            impatient.cancel()
            proceed.set()
            prompt = await patient
            assert impatient.cancelled()
            return prompt.source

    assert asyncio.run(scene()) == "server"
    assert len(server.requests) == 1


def test_a_request_that_hangs_where_no_timeout_reaches_does_not_block_the_caller(tmp_path: Path) -> None:
    proceed = threading.Event()

    waits: list[bool] = []

    def hang(_: httpx.Request) -> httpx.Response:
        waits.append(proceed.wait(SILENCE))  # as a name lookup can
        return httpx.Response(200, json=lookup_body())

    client = Promptuary("http://t", KEY, cache_dir=tmp_path, deadline=1.0, transport=httpx.MockTransport(hang))
    for _ in range(3):
        with pytest.raises(PromptUnavailable) as caught:
            client.get(TRIAGE)
        assert caught.value.reason == Reason.TIMEOUT
    assert waits == []  # the request still hangs
    (lookup,) = client._pending.values()
    proceed.set()  # a late response is stored
    assert lookup.finished.wait(20)
    assert client.get(TRIAGE).source == "memory"
    client.close()


def test_a_response_that_arrives_with_the_deadline_does_not_count_as_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=lookup_body()))
    client = Promptuary("http://t", KEY, cache_dir=tmp_path, deadline=20, breaker_failures=1, follow=False, transport=transport)
    waited = threading.Event()
    settle = client._core.settle

    def settle_while_a_deadline_passes(*arguments: Any, **options: Any) -> Any:
        result = settle(*arguments, **options)
        (lookup,) = client._pending.values()
        assert client._wait_for(lookup, 0) == TIMED_OUT  # of a caller who does not see the result yet
        waited.set()
        return result

    monkeypatch.setattr(client._core, "settle", settle_while_a_deadline_passes)
    assert client.get(TRIAGE).source == "server"
    assert waited.is_set()
    assert client._core.refusal() is None  # one failure would have opened the circuit
    client.close()


def test_a_request_that_starts_after_closing_opens_no_connection(tmp_path: Path) -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=lookup_body())

    client = Promptuary("http://t", KEY, cache_dir=tmp_path, transport=httpx.MockTransport(respond))
    client.close()
    assert client._connection.request("GET", "http://t/v1/prompts/a", 20.0) == CLIENT_CLOSED
    assert client._connection.listen(None, lambda _: True) == STREAM_CANCELLED
    assert requests == []


def test_a_transport_that_raises_what_nobody_expects_is_a_failed_server(tmp_path: Path) -> None:
    def crash(_: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"Bearer {KEY}")

    with (
        Promptuary("http://t", KEY, cache_dir=tmp_path, transport=httpx.MockTransport(crash)) as client,
        pytest.raises(PromptUnavailable) as caught,
    ):
        client.get(TRIAGE)
    assert caught.value.reason == Reason.CONNECTION
    assert KEY not in str(caught.value)


def test_when_no_thread_can_be_started_a_warm_client_answers(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Promptuary(server.url, KEY, cache_dir=tmp_path, ttl=0, deadline=20) as client:
        client.get(TRIAGE)

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            assert client.get(TRIAGE).source == "memory"
            assert client.get("support.other", fallback="x").source == "fallback"


def test_an_answer_without_end_is_cut_off(server: Server, tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not handler.server.released.is_set():
                handler.wfile.write(b" " * 1_000_000)
        except OSError:
            return

    server.reply = endless
    with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20) as client, pytest.raises(PromptUnavailable) as caught:
        client.get(TRIAGE)
    assert caught.value.reason == Reason.UNUSABLE


def test_closing_does_not_wait_longer_than_the_deadline(server: Server, tmp_path: Path) -> None:
    client = Promptuary(server.url, KEY, cache_dir=tmp_path, ttl=0, deadline=20)
    client.get(TRIAGE)
    server.reply = black_hole
    client.get(TRIAGE)
    set_deadline(client, 1.0)
    client.close()
    assert not server.silence_ended.is_set()
    assert repr(client) == f"<Promptuary at {server.url}>"


def test_closing_closes_the_connections(server: Server, tmp_path: Path) -> None:
    closed: list[bool] = []

    class Watched(httpx.HTTPTransport):
        def close(self) -> None:
            closed.append(True)
            super().close()

    with Promptuary(server.url, KEY, cache_dir=tmp_path, transport=Watched()) as client:
        client.get(TRIAGE)
        assert closed == []
    assert closed
