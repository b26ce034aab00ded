"""Versions as the server sends them, a server on loopback that can be broken, and both clients behind the same methods."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from promptuary import AsyncPromptuary, Prompt, Promptuary
from promptuary.client import Rendering
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_json

KEY = "pmt_k1_verysecretverysecret"
SILENCE = 120.0
"""Seconds after which a silent server gives up; a client's deadline must have passed long before."""
Reply = Callable[["Handler"], None]


def lookup_body(
    template: Any = "Sort: {{ticket}}", *, name: str = "support.triage", version: int = 1, **more: Any
) -> dict[str, Any]:
    """Return a lookup's body; keyword arguments replace parts of the content and fields of the response."""
    parts = {key: more.pop(key) for key in list(more) if key in Content.model_fields}
    kind = "text" if isinstance(template, str) else "chat"
    content = Content.model_validate({"type": kind, "template": template, **parts})
    answer = {"label": "production", "labels": ["production"], "variant": None, "split": None, "revision": 1, **more}
    return {"name": name, "version": version, "digest": content_digest(content), **answer, **content_json(content)}


def problem(status: int, code: str, **more: Any) -> Reply:
    """Answer with an error, as the server does."""
    return send(status, {"type": f"urn:promptuary:problem:{code}", "code": code, "detail": f"it is {code}", **more})


def send(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    """Answer with JSON, or with the bytes unchanged."""

    def reply(handler: "Handler") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def lookup_reply(body: dict[str, Any]) -> Reply:
    """Answer a lookup by any label or number, with an ETag and 304s."""

    def reply(handler: "Handler") -> None:
        (label,) = parse_qs(urlsplit(handler.path).query).get("label", [None])
        tag = f'"{body["digest"][7:23]}-{label}"'
        same = handler.headers.get("If-None-Match") == tag
        send(304 if same else 200, b"" if same else {**body, "label": label}, {"ETag": tag})(handler)

    return reply


def black_hole(handler: "Handler") -> None:
    """Accept the request and never answer: the server records it where a client waits until the silence ends."""
    if not handler.server.released.wait(SILENCE):
        handler.server.silence_ended.set()


def dripping(handler: "Handler") -> None:
    """Send a body that never ends, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.released.wait(0.02):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def hanging_up(handler: "Handler") -> None:
    """Close the connection in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"name": ')


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        stream = self.path.endswith("/v1/stream")
        with self.server.lock:
            (self.server.streams if stream else self.server.requests).append((self.path, dict(self.headers)))
        (self.server.stream if stream else self.server.reply)(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.requests.append((self.path, json.loads(body)))
        self.server.reply(self)

    def log_message(self, *_: Any) -> None:
        """Write no log."""


class Server(ThreadingHTTPServer):
    """A server on loopback; a test sets its `reply` to lookups and its `stream`, the reply to readers of the stream."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.streams: list[tuple[str, dict[str, Any]]] = []
        self.reply: Reply = lookup_reply(lookup_body())
        self.stream: Reply = problem(404, "not_found")
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.silence_ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._running = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._running.start()

    def handle_error(self, *_: Any) -> None:
        """Ignore that a client hung up."""

    def kill(self) -> None:
        """Stop, so that the port refuses; fail where a client waited for a silent server to the end."""
        assert not self.silence_ended.is_set()
        self.released.set()
        if self._running.is_alive():
            self.shutdown()
            self._running.join()
            self.server_close()


def set_deadline(client: Promptuary | AsyncPromptuary, seconds: float) -> None:
    """Change the deadline of further lookups, as of a client that a slow machine has warmed up without haste."""
    client._core.policy = replace(client._core.policy, deadline=seconds)


class SyncHarness:
    """The client for threads."""

    def __init__(self, **options: Any) -> None:
        self.client = Promptuary(**options)

    def get(self, *args: Any, **named: Any) -> Prompt:
        return self.client.get(*args, **named)

    def render(self, *args: Any, **named: Any) -> Rendering:
        return self.client.render(*args, **named)

    def call(self, method: str, *args: Any, **named: Any) -> Any:
        """Call another method of the client."""
        return getattr(self.client, method)(*args, **named)

    def settle(self) -> None:
        """Wait for the requests that are in flight."""
        for flight in list(self.client._pending.values()):
            assert flight.finished.wait(20)

    def set_deadline(self, seconds: float) -> None:
        set_deadline(self.client, seconds)

    def shut(self) -> None:
        self.client.close()

    def close(self) -> None:
        self.client.close()


class AsyncHarness:
    """The client for asyncio, its loop in a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client = AsyncPromptuary(**options)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def get(self, *args: Any, **named: Any) -> Prompt:
        return self._run(self.client.get(*args, **named))

    def render(self, *args: Any, **named: Any) -> Rendering:
        return self._run(self.client.render(*args, **named))

    def call(self, method: str, *args: Any, **named: Any) -> Any:
        """Call another method of the client."""
        return self._run(getattr(self.client, method)(*args, **named))

    def settle(self) -> None:
        """Wait for the requests that are in flight."""

        async def all_flights() -> None:
            pending = [flight for loop in self.client._loops.values() for flight in loop.pending.values()]
            await asyncio.gather(*pending)

        self._run(all_flights())

    def set_deadline(self, seconds: float) -> None:
        set_deadline(self.client, seconds)

    def shut(self) -> None:
        self._run(self.client.close())

    def close(self) -> None:
        self._run(self.client.close())
        self._run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


Client = SyncHarness | AsyncHarness
Connect = Callable[..., Client]
