import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from promptuary.core import outbound_http
from promptuary.core.outbound_http import RESPONSE_LIMIT, DestinationFailed, DestinationRefused, parse_destination, post_json

LOOPBACK = frozenset({"127.0.0.1"})


class Receiver(ThreadingHTTPServer):
    """Answers with the status, headers and body that a test sets, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.status, self.answer, self.headers = 200, b'{"ok": true}', {}  # type: ignore[var-annotated]
        self.on_request: Callable[[], object] = lambda: None
        self.released = threading.Event()
        self.released.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), json.loads(body)))
        self.server.on_request()
        self.server.released.wait()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, name="receiver")
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def post(
    url: str, body: Any = None, *, hosts: frozenset[str] = LOOPBACK, timeout: float = 30, **more: Any
) -> tuple[int, bytes]:
    return asyncio.run(post_json(url, body, hosts=hosts, timeout=timeout, **more))


def test_a_listed_host_gets_the_body_and_its_answer_comes_back(receiver: Receiver) -> None:
    assert post(receiver.url, {"output": "ü"}, headers={"X-Signature": "s"}) == (200, b'{"ok": true}')
    headers, body = receiver.requests[0]
    assert body == {"output": "ü"}
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Signature"] == "s"
    assert headers["Host"] == f"127.0.0.1:{receiver.server_port}"


def test_bytes_go_as_they_are(receiver: Receiver) -> None:
    post(receiver.url, b'{"a":  1}')
    assert receiver.requests[0][0]["Content-Length"] == "9"


def test_a_host_may_be_listed_with_its_port(receiver: Receiver) -> None:
    assert post(receiver.url, hosts=frozenset({f"127.0.0.1:{receiver.server_port}"}))[0] == 200
    with pytest.raises(DestinationRefused, match="PROMPTUARY_WEBHOOK_HOSTS"):
        post(receiver.url, hosts=frozenset({"127.0.0.1:1"}))


def test_nothing_goes_to_a_host_that_is_not_listed(receiver: Receiver) -> None:
    with pytest.raises(DestinationRefused, match=r"may not go to '127\.0\.0\.1'"):
        post(receiver.url, hosts=frozenset())
    assert receiver.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "file:///etc/passwd",
        "ftp://hooks.example.com/",
        "http://hooks.example.com/",
        "http://10.0.0.7/",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com.evil.example/",
        "https://evil.example/hooks.example.com",
        "https://evil.example#@hooks.example.com/",
        "https://[::1/",
        "https://hooks.example.com:99999999/",
    ],
)
def test_an_address_of_another_kind_is_refused_before_anything_is_resolved(url: str) -> None:
    with pytest.raises(DestinationRefused) as refused:
        parse_destination(url, {"hooks.example.com", "10.0.0.7"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://hooks.example.com/x", {"hooks.example.com"}),
        ("https://HOOKS.example.com/x", {"hooks.Example.com"}),
        ("https://10.0.0.7:8443/x", {"10.0.0.7"}),
        ("http://localhost:8000/x", {"localhost"}),
        ("http://[::1]:8000/x", {"[::1]"}),
    ],
)
def test_listed_hosts_are_taken_by_https_and_loopback_by_http(url: str, hosts: set[str]) -> None:
    assert parse_destination(url, hosts).url.path == "/x"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_a_name_that_leads_into_a_private_network_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["93.184.216.34", address])
    with pytest.raises(DestinationRefused, match="not public"):
        post("https://hooks.example.com/", hosts=frozenset({"hooks.example.com"}))


def test_a_name_is_resolved_once_and_the_connection_goes_there(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = resolve_to(monkeypatch, ["127.0.0.1"])
    url = f"http://localhost:{receiver.server_port}/hook"
    assert post(url, hosts=frozenset({"localhost"}))[0] == 200
    assert resolved.count("localhost") == 1
    assert receiver.requests[0][0]["Host"] == f"localhost:{receiver.server_port}"


@pytest.mark.parametrize(("named", "reached"), [("hooks.example.com", True), ("other.example.com", False)])
def test_the_certificate_must_be_for_the_name_although_the_address_is_pinned(
    named: str, reached: bool, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(named, tmp_path))
    context.sni_callback = lambda _, name, __: seen.append(name)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    resolve_to(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(outbound_http, "is_public", lambda address: True)
    monkeypatch.setattr(outbound_http, "_tls", lambda: ssl.create_default_context(cafile=str(tmp_path / "own.pem")))
    url, hosts = f"https://hooks.example.com:{receiver.server_port}/hook", frozenset({"hooks.example.com"})
    if reached:
        assert post(url, hosts=hosts)[0] == 200
        assert receiver.requests[0][0]["Host"] == f"hooks.example.com:{receiver.server_port}"
    else:
        with pytest.raises(DestinationFailed, match="not reached"):
            post(url, hosts=hosts)
        assert receiver.requests == []
    assert seen == ["hooks.example.com"]


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    assert post(receiver.url)[0] == 307
    assert len(receiver.requests) == 1


def test_an_answer_over_the_limit_fails(receiver: Receiver) -> None:
    receiver.answer = b"x" * (RESPONSE_LIMIT + 1)
    with pytest.raises(DestinationFailed, match="more than"):
        post(receiver.url)


def test_a_receiver_that_does_not_answer_fails_within_the_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over as soon as the receiver has the request, whatever the machine's speed."""
    receiver.released.clear()
    timeouts: list[float | None] = []
    real = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        timeouts.append(seconds)
        pending, loop = real(None), asyncio.get_running_loop()
        receiver.on_request = lambda: loop.call_soon_threadsafe(pending.reschedule, loop.time())
        return pending

    monkeypatch.setattr(asyncio, "timeout", timeout)
    with pytest.raises(DestinationFailed, match="within 7 seconds"):
        post(receiver.url, timeout=7)
    assert timeouts == [7]
    assert len(receiver.requests) == 1


def test_a_receiver_that_is_not_there_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DestinationFailed, match="not reached"):
        post(f"http://127.0.0.1:{port}/")


def test_what_is_no_json_is_not_sent(receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="JSON"):
        post(receiver.url, {"score": float("nan")})
    assert receiver.requests == []


def certificate(name: str, folder: Path) -> Path:
    """Create a certificate for a name, signed by its own key, in one file with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "own.pem"
    file.write_bytes(secret + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return file


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Resolve names to these addresses; return the list of the names that are resolved."""
    real, resolved = socket.getaddrinfo, []

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        resolved.append(host)
        if host not in ("localhost", "hooks.example.com"):
            return real(host, *args, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return resolved
