"""A server on loopback that holds a prompt and tells of its changes, over real connections."""

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

PATIENCE = 20.0
"""Seconds after which a test gives up waiting on a busy machine."""


def wait_until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something that comes from another thread or process."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


class LiveServer(Server):
    """Answers lookups from a registry; whoever reads the stream gets each move as it is made."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.remembers = True
        self.readers: list[SimpleQueue[bytes | None]] = []
        super().__init__()
        self.reply = self.look_up
        self.stream = self.tell

    def move(self, label: str, to: int | list[tuple[int, float]], *, tell: bool = True) -> None:
        """Move a label; without `tell` the event is lost on the way to who reads now."""
        with self.lock:
            self.registry.label_moved(label, to)
            for reader in self.readers if tell else ():
                reader.put(self.registry.events[-1][1])

    def say(self, chunk: bytes | None) -> None:
        """Send bytes to all readers; None cuts them off."""
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
    """Tell whether the other side closed: it has nothing more to say."""
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)


def threads() -> list[str]:
    """Name the threads that clients have in this process."""
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name in ("promptuary-client", "promptuary-stream")]
