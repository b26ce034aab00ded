"""A real server and clients that send what no library sends: too much, too slowly, or no HTTP at all."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from doubles.eventually import eventually
from doubles.raw_http import HOST, RawResponse, connect, exchange, parse, read_response, read_to_end, send
from factories.processes import free_port
from factories.served_process import ServedProcess, served_process

pytestmark = pytest.mark.acceptance
LIMIT = 64 * 1024
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
PIECE = b"a" * 65_536


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    times = {f"PROMPTUARY_{name}_TIMEOUT": "2" for name in ("HEADER", "BODY", "KEEP_ALIVE", "SEND")}
    with served_process(tmp_path_factory.mktemp("server"), **times) as served:
        yield served


def check_problem(response: RawResponse, status: int, code: str) -> None:
    """Check that the server itself answered with a whole problem, and closes the connection."""
    assert (response.status, response.headers["content-type"]) == (status, "application/problem+json")
    problem = response.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"urn:promptuary:problem:{code}")
    assert problem["title"]
    assert problem["detail"]
    assert response.headers["connection"] == "close"
    assert response.headers["x-content-type-options"] == "nosniff"


def post(server: ServedProcess, *fields: bytes) -> bytes:
    """Return the header of a write with the server's key."""
    key = b"Authorization: Bearer " + server.key.encode() + b"\r\nContent-Type: application/json\r\n"
    return b"POST /v1/prompts/p/versions HTTP/1.1\r\n" + HOST + key + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def header_of(size: int) -> bytes:
    """Return a whole request header of that many bytes."""
    return GET + b"X-Long: " + b"a" * (size - len(GET) - len(b"X-Long: \r\n\r\n")) + b"\r\n\r\n"


# --- too much -----------------------------------------------------------------------------------------------------------


def test_a_header_of_60_megabytes_is_refused_and_others_are_answered(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        send(connection, [GET + b"X-Long: ", *[PIECE] * 480])
        assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
        send(connection, [PIECE] * 480)
        check_problem(read_response(connection), 431, "header_too_large")


def test_a_header_of_64_kib_is_taken_and_one_byte_more_is_not(server: ServedProcess) -> None:
    assert exchange(server.port, header_of(LIMIT)).status == 200
    check_problem(exchange(server.port, header_of(LIMIT + 1)), 431, "header_too_large")


def test_a_hundred_header_fields_are_taken_and_one_more_is_not(server: ServedProcess) -> None:
    fields = [b"X-%d: a\r\n" % number for number in range(100)]
    assert exchange(server.port, GET, *fields[:99], b"\r\n").status == 200
    check_problem(exchange(server.port, GET, *fields, b"\r\n"), 431, "header_too_large")


def test_a_request_line_without_end_is_refused(server: ServedProcess) -> None:
    check_problem(exchange(server.port, b"GET /", PIECE, PIECE), 431, "header_too_large")


def test_the_header_of_a_later_request_has_the_same_limit(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(GET + b"\r\n")
        assert read_response(connection).status == 200
        send(connection, [GET, b"X-Long: ", PIECE])
        check_problem(read_response(connection), 431, "header_too_large")


@pytest.mark.parametrize(
    "pieces",
    [
        (b"1;" + PIECE, PIECE),
        (b"1\r\n{\r\n0\r\n", b"T: " + PIECE, PIECE),
        (b"1\r\n{\r\n", b"0\r\n" + b"T: x\r\n" * 150),
        (b"1;" + b"x" * 40 + b"\r\n{\r\n") * 5000,
    ],
    ids=["a chunk's extension", "a trailer", "many trailers", "tiny chunks"],
)
def test_framing_without_content_is_refused(server: ServedProcess, pieces: tuple[bytes, ...]) -> None:
    parts = pieces if isinstance(pieces, tuple) else (pieces,)
    response = exchange(server.port, post(server, b"Transfer-Encoding: chunked"), *parts)
    assert response.status in (400, 431)
    check_problem(response, response.status, "malformed_request" if response.status == 400 else "header_too_large")


def test_requests_that_wait_on_one_connection_are_limited(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        send(connection, [(GET + b"\r\n") * 200])
        received = read_to_end(connection)
    assert received.count(b"HTTP/1.1 200 OK") >= 64
    assert received.count(b"HTTP/1.1 429 ") == 1
    assert b"retry-after: 1\r\n" in received.rpartition(b"HTTP/1.1 429")[2]


# --- no HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET http://host?query HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        GET + b"No colon\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}}",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -3\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["TLS", "no path", "no ASCII", "a version", "no field", "two framings", "two lengths", "a negative length", "HTTP/2"],
)
def test_what_is_no_http_is_a_problem(server: ServedProcess, message: bytes) -> None:
    check_problem(exchange(server.port, message), 400, "malformed_request")


def test_a_malformed_request_is_refused_after_the_answers_to_earlier_ones(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall((GET + b"\r\n") * 2 + b"\x16 no HTTP\r\n\r\n")
        received = read_to_end(connection)
    first, second, refusal = received.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"200")
    check_problem(parse(b"HTTP/1.1 " + refusal), 400, "malformed_request")


def test_an_upgrade_that_is_not_spoken_is_answered_as_http(server: ServedProcess) -> None:
    assert exchange(server.port, GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n").status == 200
    assert exchange(server.port, GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n").status == 200


# --- too slowly ---------------------------------------------------------------------------------------------------------


def test_a_connection_that_sends_nothing_is_closed(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        assert connection.recv(100) == b""


def test_half_a_header_is_answered_in_words_and_closed(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(GET)
        check_problem(read_response(connection), 408, "request_timeout")
        assert connection.recv(100) == b""


def test_half_a_body_is_answered_in_words_and_closed(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(post(server, b"Content-Length: 100") + b"{")
        check_problem(read_response(connection), 408, "request_timeout")
        assert connection.recv(100) == b""


def test_a_connection_that_waits_between_requests_is_closed(server: ServedProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(GET + b"\r\n")
        assert read_response(connection).status == 200
        assert connection.recv(100) == b""


def test_a_client_that_does_not_read_is_closed(server: ServedProcess) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port))
    with connection:
        request = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
        send(connection, [request * 40])
        assert eventually(lambda: not send(connection, [b"\r\n"]))  # the server has closed


def test_a_request_that_is_refused_early_is_answered_before_its_body_has_come(server: ServedProcess) -> None:
    response = exchange(server.port, post(server, b"Content-Length: 60000000"), *[PIECE] * 900)
    assert (response.status, response.json()["code"]) == (413, "body_too_large")


# --- wrong keys ---------------------------------------------------------------------------------------------------------


def test_wrong_keys_end_in_429_while_the_valid_key_of_the_address_is_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    wrong = {"Authorization": "Bearer pmt_wrong"}
    with served_process(tmp_path_factory.mktemp("limited"), PROMPTUARY_WRONG_KEY_LIMIT="3") as served:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            body = {"type": "text", "template": "x", "labels": ["production"]}
            client.post("/v1/prompts/p/versions", json=body, headers=served.headers).raise_for_status()
            forwarded = [{**wrong, "X-Forwarded-For": f"192.0.2.{number}"} for number in range(6)]
            responses = [client.get("/v1/prompts/p", headers=headers) for headers in forwarded]  # nobody is trusted to forward
            assert [response.status_code for response in responses] == [401] * 3 + [429] * 3
            assert responses[-1].headers["retry-after"] == "20"
            assert client.get("/v1/prompts/p", headers=served.headers).status_code == 200
            assert client.get("/v1/self", headers=served.headers).status_code == 200
        assert "too many wrong keys" in served.log


def test_behind_a_trusted_proxy_the_forwarded_addresses_count(tmp_path_factory: pytest.TempPathFactory) -> None:
    variables = {"PROMPTUARY_WRONG_KEY_LIMIT": "2", "PROMPTUARY_TRUSTED_PROXIES": "127.0.0.1"}
    with served_process(tmp_path_factory.mktemp("proxied"), **variables) as served:

        def try_from(addresses: str) -> int:
            headers = {"Authorization": "Bearer pmt_wrong", "X-Forwarded-For": addresses}
            return httpx.get(f"{served.url}/v1/self", headers=headers, timeout=60).status_code

        assert [try_from("192.0.2.1") for _ in range(3)] == [401, 401, 429]
        assert try_from("192.0.2.2") == 401
        assert try_from("192.0.2.9, 192.0.2.1") == 429  # what the client itself claims is not counted


# --- the UI's server ----------------------------------------------------------------------------------------------------


def test_the_uis_server_has_the_same_limits(tmp_path_factory: pytest.TempPathFactory) -> None:
    port, log = free_port(), tmp_path_factory.mktemp("ui") / "ui.log"
    command = [sys.executable, "-m", "promptuary_ui.launch", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "PROMPTUARY_HEADER_TIMEOUT": "2"})
    try:
        assert eventually(lambda: _has_health(port, process)), log.read_text()
        health = b"GET /_stcore/health HTTP/1.1\r\n" + HOST
        with connect(port) as connection:
            send(connection, [health + b"X-Long: ", *[PIECE] * 480])
            assert httpx.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=60).status_code == 200
            check_problem(read_response(connection), 431, "header_too_large")
        fields = [b"X-%d: a\r\n" % number for number in range(100)]
        check_problem(exchange(port, health, *fields, b"\r\n"), 431, "header_too_large")
        with connect(port) as connection:
            connection.sendall(health)
            check_problem(read_response(connection), 408, "request_timeout")
    finally:
        process.terminate()
        process.wait(60)


def _has_health(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


# --- streams ------------------------------------------------------------------------------------------------------------


def test_the_limit_of_streams_holds_when_60_begin_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served_process(tmp_path_factory.mktemp("streams"), PROMPTUARY_STREAM_LIMIT="10") as served:
        key = b"Authorization: Bearer " + served.key.encode() + b"\r\n"
        connections = [connect(served.port) for _ in range(60)]
        for connection in connections:
            connection.sendall(b"GET /v1/stream HTTP/1.1\r\n" + HOST + key + b"\r\n")
        lines = [connection.recv(12) for connection in connections]
        assert (lines.count(b"HTTP/1.1 200"), lines.count(b"HTTP/1.1 503")) == (10, 50)
        for connection in connections:
            connection.close()
