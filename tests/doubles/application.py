"""A small application on loopback that answers by HTTP, and records what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class LoopbackApplication:
    """The application; `fixed` has further answers by path, each a list that is used up to its last entry."""

    url: str = ""
    version: str = "1"
    fixed: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: dict[str, Any]) -> Answer:
        path, json_body = request["path"].partition("?")[0], request["json"]
        if path in self.fixed:
            responses = self.fixed[path]
            return responses.pop(0) if len(responses) > 1 else responses[0]
        if path == "/echo":
            return as_json({key: request[key] for key in ("method", "path", "headers", "body", "json")})
        question = (json_body or {}).get("question", "") if isinstance(json_body, dict) else request["body"]
        status, headers, body = as_json({"answer": f"You said: {question}", "parts": [{"text": "a"}, {"text": "b"}], "n": 3})
        return status, {**headers, "X-App-Version": self.version}, body


def as_json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def as_page(status: int = 200) -> Answer:
    return status, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>"


def as_events(*data: str) -> Answer:
    return 200, {"Content-Type": "text/event-stream"}, "".join(f"data: {each}\n\n" for each in data).encode()


@contextmanager
def serve_application(application: LoopbackApplication | None = None) -> Iterator[LoopbackApplication]:
    """Serve the application until the block ends."""
    application = application or LoopbackApplication()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Write no log."""

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            try:
                value = json.loads(body)
            except ValueError:
                value = None
            headers = {name.lower(): header for name, header in self.headers.items()}
            request = {"method": self.command, "path": self.path, "headers": headers, "body": body, "json": value}
            application.requests.append(request)
            status, answer_headers, content = application.answer(request)
            self.send_response(status)
            for name, header in answer_headers.items():
                self.send_header(name, header)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    application.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield application
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
