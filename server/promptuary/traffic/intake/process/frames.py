"""Messages between a server and its intake process, over a pair of sockets that nobody else can open."""

import pickle
import struct
from dataclasses import dataclass
from socket import MSG_WAITALL, socket
from typing import Any

from promptuary.prompt.errors import PromptuaryError
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.request import IntakeRequest

HEADER = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """A request, and the number under which its reply comes."""

    number: int
    request: IntakeRequest


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """The reply to a request: a report, the error that its sender gets, or None for an error of the program."""

    number: int
    reply: IntakeReport | PromptuaryError | None


def pack(message: Any) -> bytes:
    """Return a message as it is sent."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> Any:
    """Return the message of a frame's body; the other end is the same program."""
    return pickle.loads(body)


def receive(connection: socket) -> Any:
    """Wait for the next message; return None at the end of the connection."""
    header = connection.recv(HEADER.size, MSG_WAITALL)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    body = bytearray()
    while len(body) < size:
        piece = connection.recv(min(size - len(body), 1024 * 1024))
        if not piece:
            return None
        body += piece
    return unpack(bytes(body))
