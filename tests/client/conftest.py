"""Fixtures of the client's tests: a server on loopback, and a factory of clients of both kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.loopback_server import KEY, AsyncHarness, Client, Connect, Server, SyncHarness


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers every lookup with one version."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture(params=[SyncHarness, AsyncHarness])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    """Make clients, of both kinds in turn; all of them share a folder for their copies, as restarts of one program do.

    They do not follow the stream, which is another request, unless a test sets `follow`.
    """
    clients: list[Client] = []

    def make(url: str | None, **options: Any) -> Client:
        arguments = {"api_key": KEY, "cache_dir": tmp_path / "copies", "deadline": 20.0, "follow": False, **options}
        client: Client = request.param(url=url, **arguments)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
