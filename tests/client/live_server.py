"""A server on loopback that has a prompt and reports its changes, over real connections."""

import select
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from urllib.parse import parse_qs, urlsplit

from client.fake_registry import TRIAGE, FakeRegistry
from client.loopback_server import Handler, Server, send
from promptuary.client.versions.selector import Selector

PATIENCE = 60.0
"""Seconds after which a test gives up waiting, also on a busy machine."""


def wait_until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition that another thread or process makes true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.01)


class LiveServer(Server):
    """A server that answers lookups from a registry and sends each move to the readers of the stream."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.remembers = True
        self.readers: list[SimpleQueue[bytes | None]] = []
        super().__init__()
        self.reply = self.look_up
        self.stream = self.tell

    def move(self, label: str, to: int | list[tuple[int, float]], *, tell: bool = True) -> None:
        """Move a label; without `tell` the event is lost on the way to the present readers."""
        with self.lock:
            self.registry.label_moved(label, to)
            for reader in self.readers if tell else ():
                reader.put(self.registry.events[-1][1])

    def say(self, chunk: bytes | None) -> None:
        """Send bytes to all readers; None ends their streams."""
        with self.lock:
            for reader in self.readers:
                reader.put(chunk)

    def look_up(self, handler: Handler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        number = query.get("version")
        with self.lock:
            answer = self.registry.look_up(
                Selector(TRIAGE, query.get("label"), int(number) if number else None, query.get("targeting_key"))
            )
        same = handler.headers.get("If-None-Match") == answer.headers.get("etag") and answer.status == 200
        headers = {"ETag": answer.headers["etag"]} if "etag" in answer.headers else {}
        send(304 if same else answer.status, b"" if same else answer.body, headers)(handler)

    def tell(self, handler: Handler) -> None:
        last = handler.headers.get("Last-Event-ID")
        reader: SimpleQueue[bytes | None] = SimpleQueue()
        with self.lock:
            for chunk in self.registry.stream(None if last is None else int(last), remembers=self.remembers):
                reader.put(chunk)
            self.readers.append(reader)
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.end_headers()
        try:
            while not self.released.is_set():
                try:
                    chunk = reader.get(timeout=0.05)
                except Empty:
                    if _hung_up(handler.connection):
                        return
                    continue
                if chunk is None:
                    return
                handler.wfile.write(chunk)
        except OSError:
            return
        finally:
            with self.lock:
                self.readers.remove(reader)


def _hung_up(sock: socket.socket) -> bool:
    """Return whether the other side closed the connection."""
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)


def threads() -> list[str]:
    """Return the names of the threads that clients have in this process."""
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name in ("promptuary-client", "promptuary-stream")]
