"""The client's cost in a warm application: a `get`, and rendering a chat of five messages. Prints a table.

The server is a transport in this process, so no network is in the figures. Each is the best of several rounds, as is usual for
so short an operation: the time above the best is other work of the machine.
"""

import asyncio
import os
import platform
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from promptuary import AsyncPromptuary, Promptuary
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_json
from promptuary.prompt.split import divide

NAME = "support.triage"
ROUNDS, TIMES = 60, 2_000
IMPORTS = 10
CHAT = [
    {"role": "system", "content": "You sort support tickets into {{intents}}. Answer with one word, in {{language}}."},
    {"role": "user", "content": "{{first_example}}"},
    {"role": "assistant", "content": "{{first_intent}}"},
    {"role": "user", "content": "The next one is from {{customer}}, who wrote it in {{language}}."},
    {"role": "user", "content": "{{ticket}}"},
]
VALUES = {
    "intents": "card_arrival, card_lost, fee, refund, transfer",
    "language": "English",
    "first_example": "Where is my card? I ordered it two weeks ago and it still has not come.",
    "first_intent": "card_arrival",
    "customer": "Ada",
    "ticket": "I was charged twice for one transfer. " * 10,
}
SPLIT = divide(f"{NAME}/canary", [(1, 90.0), (2, 10.0)])
Row = tuple[str, float, str]


def lookup_body(label: str) -> dict[str, Any]:
    """Return the body of a server's response to a lookup."""
    content = Content.model_validate({"type": "chat", "template": CHAT})
    split = SPLIT.as_json() if label == "canary" else None
    selection = {"label": label, "labels": [label], "variant": split and "v1", "split": split, "revision": 1}
    return {"name": NAME, "version": 1, "digest": content_digest(content), **selection, **content_json(content)}


class OpenStream(httpx.SyncByteStream):
    """An event stream without a change."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b'event: ready\nid: 1\ndata: {"revision": 1, "resumed": true}\n\n'
        while not self.closed.wait(1):
            yield b": alive\n\n"

    def close(self) -> None:
        self.closed.set()


def respond(request: httpx.Request) -> httpx.Response:
    """Respond as a server does."""
    if request.url.path == "/v1/stream":
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=OpenStream())
    return httpx.Response(200, json=lookup_body(request.url.params["label"]), headers={"ETag": '"1"'})


async def respond_async(request: httpx.Request) -> httpx.Response:
    """Respond as a server does."""
    return respond(request)


def microseconds(work: Callable[[], object]) -> float:
    """Measure a short operation; return the microseconds of one call in the best round."""
    return min(timeit.repeat(work, number=TIMES, repeat=ROUNDS)) / TIMES * 1e6


def rows() -> list[Row]:
    """Measure each operation; return its name, value and unit."""
    transport = httpx.MockTransport(respond)
    in_first_arm = next(key for key in map(str, range(100)) if SPLIT.arm(key).version == 1)
    with Promptuary("http://t", "k", disk=False, follow=False, transport=transport) as client:
        prompt = client.get(NAME)
        client.get(NAME, label="canary", targeting_key=in_first_arm)
        measured = {
            "get, warm": microseconds(lambda: client.get(NAME)),
            "get of a split label, warm": microseconds(lambda: client.get(NAME, label="canary", targeting_key=in_first_arm)),
            "render of five messages": microseconds(lambda: prompt.render(**VALUES)),
            "get, warm, and render": microseconds(lambda: client.get(NAME).render(**VALUES)),
        }
    measured["observe, with variables and output"] = reported()
    measured["get, kept fresh by the stream"] = followed()
    measured["await get, warm"] = asyncio.run(awaited())
    imported = ("import of the client", import_milliseconds(), "ms")
    return [*((name, value, "µs") for name, value in measured.items()), imported]


def reported() -> float:
    """Measure the processor time of an `observe` in the caller's thread; return microseconds.

    Another thread encodes and sends meanwhile, and shares the interpreter: at the speed of this loop it would be measured,
    too, by a clock on the wall. Each round is shorter than the queue, which is empty before it.
    """
    transport = httpx.MockTransport(lambda _: httpx.Response(202, json={}))
    with Promptuary("http://t", "k", disk=False, follow=False, transport=httpx.MockTransport(respond)) as client:
        prompt = client.get(NAME)
    messages, best = prompt.render(**VALUES), float("inf")
    with Promptuary("http://t", "k", disk=False, follow=False, transport=transport) as client:
        for _ in range(ROUNDS):
            started = time.thread_time()
            for _ in range(TIMES):
                client.observe(
                    prompt, variables=VALUES, input=messages, output="card_lost", latency_ms=312.5, tokens={"input": 210}
                )
            best = min(best, time.thread_time() - started)
            client.flush(60)
        assert client.traffic.dropped == {}, client.traffic
    return best / TIMES * 1e6


def import_milliseconds() -> float:
    """Measure `from promptuary import Promptuary` in new interpreters, without their own start; return the best."""
    code = "import time; t = time.perf_counter(); from promptuary import Promptuary; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(IMPORTS)]
    return min(float(run.stdout) for run in runs) * 1000


def followed() -> float:
    """Measure a `get` whose ttl has passed and which the stream keeps fresh; return microseconds."""
    with Promptuary("http://t", "k", disk=False, ttl=0.001, transport=httpx.MockTransport(respond)) as client:
        end = time.monotonic() + 20
        while client.get(NAME).stale or not client.following:  # the stream keeps versions fresh after two seconds
            assert time.monotonic() < end, "the stream does not keep the version fresh"
            time.sleep(0.05)
        return microseconds(lambda: client.get(NAME))


async def awaited() -> float:
    """Measure an `await get`, in a running loop; return microseconds."""
    transport = httpx.MockTransport(respond_async)
    async with AsyncPromptuary("http://t", "k", disk=False, follow=False, transport=transport) as client:
        await client.get(NAME)
        best = float("inf")
        for _ in range(ROUNDS):
            started = time.perf_counter()
            for _ in range(TIMES):
                await client.get(NAME)
            best = min(best, time.perf_counter() - started)
        return best / TIMES * 1e6


def main() -> None:
    """Measure everything and print it."""
    for name, value, unit in rows():
        print(f"{name:32} {value:8.2f} {unit}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"the best of {ROUNDS} rounds of {TIMES:,} calls, {machine}")


if __name__ == "__main__":
    main()
