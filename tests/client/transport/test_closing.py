"""A connection that is being opened while its client closes is closed, too."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from client.live_server import wait_until
from client.loopback_server import Server, black_hole
from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import PromptUnavailable


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that never answers."""
    server = Server()
    server.reply = black_hole
    yield server
    server.kill()


def test_a_connection_of_threads_that_opens_while_the_client_closes_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    sockets: list[socket.socket] = []
    connect = socket.create_connection

    def connect_late(*args: Any, **named: Any) -> socket.socket:
        sockets.append(connect(*args, **named))
        assert closed.wait(20)
        return sockets[0]

    client = Promptuary(server.url, disk=False)
    monkeypatch.setattr("httpcore._backends.sync.socket.create_connection", connect_late)
    with pytest.raises(PromptUnavailable, match="within the deadline"):
        client.search("x", deadline=0.2)
    client.close()
    (request,) = (thread for thread in threading.enumerate() if thread.name == "promptuary-client")
    closed.set()
    request.join(20)
    assert (request.is_alive(), [sock.fileno() for sock in sockets]) == (False, [-1])


def test_a_request_of_threads_in_flight_ends_when_its_client_closes(server: Server) -> None:
    client = Promptuary(server.url, disk=False)
    failures: list[PromptUnavailable] = []

    def search() -> None:
        with pytest.raises(PromptUnavailable) as raised:
            client.search("x", deadline=100)
        failures.append(raised.value)

    caller = threading.Thread(target=search)
    caller.start()
    wait_until(lambda: server.requests)
    client.close()
    caller.join(20)
    assert [failure.reason for failure in failures] == ["closed"]


def test_a_connection_of_a_loop_that_opens_while_the_client_closes_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anyio

    connect = anyio.connect_tcp
    sockets: list[socket.socket] = []

    async def use() -> str:
        connected = asyncio.Event()

        async def connect_late(*args: Any, **named: Any) -> Any:
            stream = await connect(*args, **named)
            sockets.append(stream.extra(anyio.abc.SocketAttribute.raw_socket))
            connected.set()
            try:
                await asyncio.sleep(20)
            finally:
                await stream.aclose()

        client = AsyncPromptuary(server.url, disk=False)
        monkeypatch.setattr(anyio, "connect_tcp", connect_late)
        search = asyncio.create_task(client.search("x", deadline=100))
        async with asyncio.timeout(20):
            await connected.wait()
            await client.close()
            with pytest.raises(PromptUnavailable) as raised:
                await search
        return str(raised.value)

    assert asyncio.run(use()).endswith("the client is closed")
    assert [sock.fileno() for sock in sockets] == [-1]
