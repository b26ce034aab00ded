"""The stream goes over the network as lookups do: through the same proxy, transport and TLS."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from client.certificate import make_certificate
from client.fake_registry import TRIAGE
from client.live_server import LiveServer, threads, wait_until
from client.loopback_server import KEY, Connect
from promptuary import Promptuary
from promptuary.client.transport import connection

pytestmark = pytest.mark.process

LONG = 3600.0


@pytest.fixture
def server() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.kill()


def test_the_stream_goes_through_the_same_proxy(server: LiveServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    client = connect("http://prompts.invalid", ttl=LONG, follow=True)
    client.get(TRIAGE)
    wait_until(lambda: client.client.following)
    assert server.streams[0][0] == "http://prompts.invalid/v1/stream"
    server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    client.shut()
    wait_until(lambda: not threads())


def test_the_stream_goes_through_the_transport_that_was_given(server: LiveServer, tmp_path: Path) -> None:
    seen: list[str] = []

    class Watching(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.url.path)
            return super().handle_request(request)

    with Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=20, ttl=LONG, transport=Watching()) as client:
        client.get(TRIAGE)
        wait_until(lambda: client.following)
    assert set(seen) == {f"/v1/prompts/{TRIAGE}", "/v1/stream"}
    wait_until(lambda: not threads())  # that of the lookup ends a moment after its answer


def test_the_stream_goes_over_the_same_tls_and_closing_wakes_who_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = LiveServer()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        with Promptuary(server.url.replace("http:", "https:"), KEY, disk=False, deadline=20, ttl=LONG) as client:
            client.get(TRIAGE)
            wait_until(lambda: client.following)
            server.move("production", 2)
            wait_until(lambda: client.get(TRIAGE).version == 2)
        wait_until(lambda: not threads())
    finally:
        server.kill()


def test_what_is_hung_up_while_it_connects_is_cut_off_as_soon_as_it_is_connected() -> None:
    reader, other = socket.socketpair()
    reader.settimeout(20)
    with reader, other:

        class Stream:
            def get_extra_info(self, _: str) -> socket.socket:
                return reader

        sockets = connection.OpenSockets()
        sockets.shut_down()
        sockets.trace("connection.connect_tcp.started", {})
        sockets.trace("connection.connect_tcp.complete", {"return_value": Stream()})
        assert reader.recv(1) == b""
