"""HTTP by hand: a client that sends what no library sends, and reads whatever comes back."""

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

DEADLINE_SECONDS = 60.0
HOST = b"Host: 127.0.0.1\r\n"


@dataclass(frozen=True)
class RawResponse:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)


def connect(port: int) -> socket.socket:
    """Open a connection to a loopback port."""
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)


def send(connection: socket.socket, pieces: Iterable[bytes]) -> bool:
    """Send pieces until all are sent or the server has closed; return whether all were sent."""
    try:
        for piece in pieces:
            connection.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def read_to_end(connection: socket.socket) -> bytes:
    """Return everything until the server closes."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def parse(message: bytes) -> RawResponse:
    """Parse one response with a Content-Length."""
    head, _, body = message.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    return RawResponse(int(line.split()[1]), headers, body[: int(headers.get("content-length", len(body)))])


def read_response(connection: socket.socket) -> RawResponse:
    """Read one response with a Content-Length; the connection may stay open."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, f"the server closed after {received!r}"
        received += piece
    while len(received.partition(b"\r\n\r\n")[2]) < int(parse(received).headers.get("content-length", "0")):
        piece = connection.recv(65536)
        assert piece, f"the server closed after {received!r}"
        received += piece
    return parse(received)


def exchange(port: int, *pieces: bytes) -> RawResponse:
    """Send pieces on a new connection and return the response."""
    with connect(port) as connection:
        send(connection, pieces)
        return read_response(connection)
