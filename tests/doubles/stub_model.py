"""A model server for tests and benchmarks: OpenAI's chat protocol on a loopback port, with the failures that a test needs.

It is reached as any provider is, through LangChain's `openai:` names and the variables OPENAI_BASE_URL and OPENAI_API_KEY.
Its counters show what was requested and what would have been billed.
"""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Reaction:
    """The server's behaviour for one request.

    Attributes:
        text: of the output; None for the text that `StubModelServer.answer` builds.
        status: of HTTP; other than 200, the body is an error in OpenAI's form.
        headers: beside the content type, as `{"retry-after": "2"}`.
        latency: seconds until it responds; None for `StubModelServer.latency`.
        hang: whether it never responds, so that the client times out.
        drop: whether it closes the connection in the middle of a response.
        body: sent unchanged instead of a chat completion.
        tool_calls: each `{name, args}`.
    """

    text: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    latency: float | None = None
    hang: bool = False
    drop: bool = False
    body: bytes | None = None
    tool_calls: Sequence[Mapping[str, Any]] = ()


def last_message(body: Body) -> str:
    """Return the last message, as the echo model does."""
    return str(body["messages"][-1]["content"])


class StubModelServer:
    """An ASGI app that serves chat completions; any thread may read its figures at any time.

    Attributes:
        answer: builds the text of an output from the request's body.
        latency: seconds until a response.
        concurrency_limit: the most requests in flight at once; any other gets 429. None for no limit.
        retry_after: the header of those responses, in seconds; None for no header.
        react: returns the reaction to each request, by its number from 0; None for the ordinary response.
        script: the reactions to the next requests, in their order of arrival; takes precedence over `react`.
        bodies: of all requests, in their order of arrival.
        answered: the number of chat completions sent.
        refused: the number of requests that got an error status.
        busiest: the highest number of requests in flight at once.
        input_tokens: the billed ones: the words of the messages of each request that was not refused.
        output_tokens: the billed ones: the words of an output; the request's limit for a hung, broken or invalid response.
        arrivals: the monotonic timestamp of each request.
        request_received: set by each request.
    """

    def __init__(self, answer: Callable[[Body], str] = last_message, latency: float = 0.0) -> None:
        self.answer = answer
        self.latency = latency
        self.concurrency_limit: int | None = None
        self.retry_after: float | None = None
        self.react: Callable[[int, Body], Reaction | None] = lambda number, body: None
        self.script: deque[Reaction] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.arrivals: list[float] = []
        self.answered = self.refused = self.in_flight = self.busiest = 0
        self.input_tokens = self.output_tokens = 0
        self.request_received = threading.Event()

    @property
    def requests(self) -> int:
        """The number of requests received."""
        return len(self.bodies)

    def billed(self, input_price: float, output_price: float) -> float:
        """Compute the cost of all tokens, by prices for a million tokens."""
        return (self.input_tokens * input_price + self.output_tokens * output_price) / 1_000_000

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Respond to one request; a disconnect of the client ends it."""
        content = b""
        more = True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        body = json.loads(content)
        number = len(self.bodies)
        self.bodies.append(body)
        self.arrivals.append(time.monotonic())
        self.in_flight += 1
        self.busiest = max(self.busiest, self.in_flight)
        self.request_received.set()
        try:
            await self._answer(number, body, receive, send)
        finally:
            self.in_flight -= 1

    async def _answer(self, number: int, body: Body, receive: Any, send: Any) -> None:
        reaction = self.script.popleft() if self.script else self.react(number, body)
        if reaction is None and self.concurrency_limit is not None and self.in_flight > self.concurrency_limit:
            headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
            reaction = Reaction(status=429, headers=headers)
        reaction = reaction or Reaction()
        if reaction.status != 200:
            self.refused += 1
            error = {"error": {"message": f"stub: {reaction.status}", "type": "stub", "code": None}}
            content = reaction.body if reaction.body is not None else json.dumps(error).encode()
            await _send(send, reaction.status, content, reaction.headers)
            return
        prompt_text = " ".join(str(message.get("content") or "") for message in body["messages"])
        self.input_tokens += len(prompt_text.split())
        allowed = body.get("max_completion_tokens") or body.get("max_tokens")
        if reaction.hang or reaction.drop or reaction.body is not None:
            self.output_tokens += allowed or 0
        if reaction.hang:
            await _wait_for_disconnect(receive)
            return
        await asyncio.sleep(self.latency if reaction.latency is None else reaction.latency)
        if reaction.drop:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
            await send({"type": "http.response.body", "body": b'{"id": ', "more_body": True})
            raise ConnectionResetError("the stub drops this connection")
        if reaction.body is not None:
            await _send(send, 200, reaction.body, reaction.headers)
            return
        words = (self.answer(body) if reaction.text is None else reaction.text).split(" ")
        words_sent = words[:allowed] if allowed else words
        self.output_tokens += len(words_sent)
        self.answered += 1
        cut, counts = len(words_sent) < len(words), (len(prompt_text.split()), len(words_sent))
        content = _completion(number, body, reaction, " ".join(words_sent), *counts, cut)
        await _send(send, 200, json.dumps(content).encode(), reaction.headers)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Serve on a free loopback port, in a thread that ends with the block; yield the value of OPENAI_BASE_URL."""
        import uvicorn

        opened = socket.create_server(("127.0.0.1", 0), backlog=1024)
        config = uvicorn.Config(self, log_config=None, access_log=False, ws="none", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="stub-model")
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.005)
            yield f"http://127.0.0.1:{opened.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def completion(message: Mapping[str, Any], finish_reason: str = "stop") -> bytes:
    """Return the body of a chat completion with a given message."""
    choice = {"index": 0, "message": dict(message), "finish_reason": finish_reason}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


async def _wait_for_disconnect(receive: Any) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Any, status: int, content: bytes, headers: Mapping[str, str]) -> None:
    fields = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})


def _completion(
    number: int, body: Body, reaction: Reaction, text: str, input_tokens: int, output_tokens: int, cut: bool
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reaction.tool_calls:
        message["content"] = None
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["args"])},
            }
            for place, call in enumerate(reaction.tool_calls)
        ]
    reason = "tool_calls" if reaction.tool_calls else "length" if cut else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        },
    }
