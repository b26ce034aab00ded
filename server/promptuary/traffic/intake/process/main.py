"""The program of the intake process: `python -m promptuary.traffic.intake.process.main FD`, which a server starts.

It ends when the server does, however that ends: the connection is closed then.
"""

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

import structlog

from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.logs import configure_logging
from promptuary.core.settings import Settings
from promptuary.prompt.errors import PromptuaryError
from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.intake.process.frames import ReplyMessage, RequestMessage, pack, receive
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.request import read_request
from promptuary.traffic.redaction.hook import build_redactor

log = structlog.get_logger(__name__)
GROUP_BYTES = 1024 * 1024
GROUP_REQUESTS = 32
"""The most requests that wait which one transaction takes: each would otherwise wait for a write to the disk of its own."""
NICENESS = 5
"""How much this process yields to the server: where both want a processor, a lookup comes first."""
_CONNECTIONS = 2
Reply = IntakeReport | PromptuaryError | None
T = TypeVar("T")


def main(descriptor: int) -> None:
    """Take requests from a connection until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the server has requests that it still answers
    os.nice(NICENESS)
    connection = socket.socket(fileno=descriptor)
    settings: Settings = receive(connection)
    configure_logging(settings.log_level)
    database = Database(settings.sql_url, _CONNECTIONS, statement_seconds=max(settings.database_timeout, 60.0))
    requests: SimpleQueue[RequestMessage | None] = SimpleQueue()
    threading.Thread(target=_receive_all, args=(connection, requests), name="requests", daemon=True).start()
    program = IntakeProgram(TrafficIntake(database, wall_clock, settings, redactor=build_redactor(settings)))
    while group := next_group(requests):
        try:
            for reply in program.take(group):
                connection.sendall(pack(reply))
        except OSError:
            break  # the server was killed; what it did not acknowledge is sent again
    database.dispose()


def next_group(requests: "SimpleQueue[RequestMessage | None]") -> list[RequestMessage]:
    """Wait for a request, and return it with those that wait behind it; an empty list at the end."""
    first = requests.get()
    if first is None:
        return []
    group, size = [first], len(first.request.body)
    while len(group) < GROUP_REQUESTS and size < GROUP_BYTES:
        try:
            following = requests.get_nowait()
        except Empty:
            break
        if following is None:
            requests.put(None)
            break
        group.append(following)
        size += len(following.request.body)
    return group


class IntakeProgram:
    """Takes groups of requests, each in one transaction."""

    def __init__(self, intake: TrafficIntake) -> None:
        """Use an intake."""
        self._intake = intake

    def take(self, group: Sequence[RequestMessage]) -> list[ReplyMessage]:
        """Return the replies to some requests; what is acknowledged is stored."""
        replies: dict[int, Reply] = {}
        readings: list[tuple[RequestMessage, TrafficReading]] = []
        for message in group:
            reading = _attempt(partial(read_request, message.request, self._intake.settings))
            if isinstance(reading, TrafficReading):
                readings.append((message, reading))
            else:
                replies[message.number] = reading
        replies |= self._store(readings)
        return [ReplyMessage(message.number, replies[message.number]) for message in group]

    def _store(self, readings: Sequence[tuple[RequestMessage, TrafficReading]]) -> dict[int, Reply]:
        """Store readings in one transaction; where that fails, each in its own, so that one does not fail for another."""
        if len(readings) > 1:
            reports = _attempt(partial(self._store_together, readings))
            if isinstance(reports, dict):
                return reports
        return {
            message.number: _attempt(partial(self._intake.take, message.request.project, reading))
            for message, reading in readings
        }

    def _store_together(self, readings: Sequence[tuple[RequestMessage, TrafficReading]]) -> dict[int, Reply]:
        with self._intake.database.write() as session:
            return {
                message.number: self._intake.take_in(session, message.request.project, reading) for message, reading in readings
            }


def _attempt(act: Callable[[], T]) -> T | PromptuaryError | None:
    """Return the result of an act, or its error; None for an error of the program, of which only the place is logged."""
    try:
        return act()
    except PromptuaryError as error:
        return error
    except Exception as error:  # its message may have the contents of a call
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
        log.error("the intake failed on a request", error=type(error).__name__, places=places)
        return None


def _receive_all(connection: socket.socket, requests: "SimpleQueue[RequestMessage | None]") -> None:
    """Read requests as they come, so that the server never waits to send one."""
    try:
        while (message := receive(connection)) is not None:
            requests.put(message)
    except OSError:
        pass  # the server was killed
    requests.put(None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
