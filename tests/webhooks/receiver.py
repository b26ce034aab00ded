"""A receiver of webhooks on loopback, as a program of a user would be: it answers as a test sets, and keeps what it got."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Message:
    """A request that reached the receiver."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `status` and `location`; `on_message` is called with each message before the answer."""

    url: str = ""
    status: int = 204
    location: str = ""
    messages: list[Message] = field(default_factory=list)
    on_message: Callable[[Message], object] = lambda message: None

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, in the order of their arrival."""
        return [message.headers["webhook-id"] for message in self.messages]


@contextmanager
def listening() -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            message = Message(self.path, {name.lower(): value for name, value in self.headers.items()}, content)
            receiver.messages.append(message)
            receiver.on_message(message)
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook/T0-not-for-logs"
        thread = threading.Thread(target=server.serve_forever, name="webhook-receiver")
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
