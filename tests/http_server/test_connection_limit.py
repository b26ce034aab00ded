"""More connections than a process can have: new ones are refused with a message, and present ones stay."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from doubles.eventually import eventually
from doubles.raw_http import HOST, connect, exchange, read_response
from factories.served_process import ServedProcess, served_process

pytestmark = pytest.mark.acceptance
DESCRIPTORS, CONNECTIONS = 256, 300
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    folder = tmp_path_factory.mktemp("server")
    with served_process(folder, prepare=_few_descriptors, PROMPTUARY_HEADER_TIMEOUT="600") as served:
        body = {"type": "text", "template": "x", "labels": ["production"]}
        httpx.post(f"{served.url}/v1/prompts/p/versions", json=body, headers=served.headers, timeout=60).raise_for_status()
        yield served


def test_lookups_continue_beside_more_idle_connections_than_descriptors(server: ServedProcess) -> None:
    with ExitStack() as opened, httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as present:
        assert present.get("/v1/prompts/p").status_code == 200
        idle = [opened.enter_context(connect(server.port)) for _ in range(CONNECTIONS)]
        assert [present.get("/v1/prompts/p").status_code for _ in range(50)] == [200] * 50
        refusals = [read_response(connection) for connection in idle if _has_answer(connection)]
        assert refusals  # some of the others replaced a connection that had waited
        for refusal in refusals:
            assert (refusal.status, refusal.headers["retry-after"], refusal.headers["connection"]) == (503, "2", "close")
            assert refusal.json()["code"] == "too_many_connections"
        write = present.put("/v1/prompts/p/labels/staging", json={"version": 1, "reason": "files can be opened, too"})
        assert write.status_code == 200


def test_a_new_client_replaces_a_connection_that_only_waits(server: ServedProcess) -> None:
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(connect(server.port))
        assert eventually(lambda: exchange(server.port, GET).status == 200)


def test_the_log_names_the_descriptors_and_the_refusals(server: ServedProcess) -> None:
    log = server.log
    assert "there are too few file descriptors for 2000 connections, so 128 are accepted" in log
    assert "a connection or request was refused: too_many_connections" in log


def _has_answer(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    except ConnectionResetError:
        return False


def test_the_soft_limit_of_descriptors_is_raised(tmp_path: Path) -> None:
    def low_soft_limit() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

    with served_process(tmp_path, prepare=low_soft_limit, PROMPTUARY_CONNECTION_LIMIT="100") as served:
        soft = Path(f"/proc/{served.process.pid}/limits").read_text().partition("Max open files")[2].split()[0]
        assert int(soft) > 64
