"""The fast and the slow path of a lookup through one app, and the prompts that tests look up."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.api.middleware import RequestMiddleware
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]
Bearer = Callable[..., dict[str, str]]
RawHeaders = list[tuple[bytes, bytes]]
HOST = (b"host", b"127.0.0.1:8400")
GREET = "/v1/prompts/greet"


class SentResponse(NamedTuple):
    """A response without its request id, to be compared byte by byte."""

    status: int
    headers: RawHeaders
    body: bytes


class LookupPaths:
    """Sends requests of exactly these bytes through the fast path or only FastAPI; an HTTP client would normalize them."""

    def __init__(self, app: Any, portal: Any) -> None:
        self.fast = app
        self.slow = RequestMiddleware(app.app, app.services, _no_fast_path)  # type: ignore[arg-type] # it never responds
        self.portal = portal

    def send(self, app: Any, target: str, headers: Sequence[tuple[bytes, bytes]], method: str = "GET") -> SentResponse:
        raw, _, query = target.partition("?")
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        path = raw.encode().decode("latin-1")
        for code, character in (("%2F", "/"), ("%2f", "/"), ("%00", "\x00"), ("%67", "g"), ("%2e", "."), ("%0a", "\n")):
            path = path.replace(code, character)
        scope = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "root_path": ""}
        scope |= {"path": path, "raw_path": raw.encode("latin-1"), "query_string": query.encode("latin-1")}
        scope |= {"headers": list(headers), "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8400)}
        self.portal.call(app, scope, receive, send)
        start, *rest = messages
        headers_sent = [header for header in start["headers"] if header[0] != b"x-request-id"]
        assert len(headers_sent) == len(start["headers"]) - 1
        return SentResponse(start["status"], headers_sent, b"".join(message["body"] for message in rest))

    def same(self, target: str, headers: Sequence[tuple[bytes, bytes]], method: str = "GET") -> SentResponse:
        """Send a request by both paths, by the fast one twice: it reads first, and responds from memory then."""
        slow = self.send(self.slow, target, headers, method)
        assert [self.send(self.fast, target, headers, method) for _ in range(2)] == [slow, slow], (target, headers)
        return slow

    def answered_from_memory(self) -> int:
        return int(self.fast.lookup.counts.from_memory)

    def finish_prefetching(self) -> None:
        self.portal.call(self.fast.lookup.prefetcher.join)


async def _no_fast_path(_scope: Any, _send: Any) -> bool:
    return False


def register(unit: UnitOfWork, name: str, template: str, *labels: str, format_: str = "mustache") -> None:
    content = Content.model_validate({"type": "text", "template": template, "format": format_})
    Registry(unit).register(name, content, labels=labels)


def authorized(bearer: dict[str, str], *more: tuple[bytes, bytes]) -> RawHeaders:
    return [HOST, (b"authorization", bearer["Authorization"].encode()), (b"accept", b"*/*"), *more]
