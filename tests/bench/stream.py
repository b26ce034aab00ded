"""The delay until 200 clients that follow the stream receive a label's move."""

import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.serving import Data, build, serving

CLIENTS, MOVES = 200, 50


@dataclass(frozen=True)
class StreamDelay:
    """Milliseconds from sending a move to receiving it, over all clients and moves; the move's own response for comparison."""

    clients: int
    moves: int
    median: float
    p99: float
    longest: float
    response: float


async def _stream_delay(url: str, data: Data, clients: int, moves: int) -> StreamDelay:
    sent: dict[int, float] = {}
    delays: list[float] = []
    response_times: list[float] = []
    ready = asyncio.Semaphore(0)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, headers=data.authorization, timeout=60, limits=limits) as http:

        async def follow() -> None:
            async with http.stream("GET", "/v1/stream") as response:
                kind, received = "", 0
                async for line in response.aiter_lines():
                    now = time.perf_counter()
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif kind == "ready" and line.startswith("data: "):
                        ready.release()
                    elif kind == "label.moved" and line.startswith("data: "):
                        delays.append((now - sent[int(json.loads(line.removeprefix("data: "))["version"])]) * 1000)
                        received += 1
                        if received == moves:
                            return

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(follow())
            for _ in range(clients):
                await ready.acquire()
            for version in range(1, moves + 1):
                sent[version] = time.perf_counter()
                put = await http.put(f"/v1/prompts/{data.names[0]}/labels/production", json={"version": version})
                assert put.status_code == 200, put.text
                response_times.append((time.perf_counter() - sent[version]) * 1000)
                while len(delays) < version * clients:
                    await asyncio.sleep(0.005)
    delays.sort()
    p99 = delays[int(len(delays) * 0.99)]
    return StreamDelay(clients, moves, statistics.median(delays), p99, delays[-1], statistics.median(response_times))


def measured(clients: int = CLIENTS, moves: int = MOVES) -> StreamDelay:
    """Follow the stream with `clients` clients, and move a label `moves` times, each time when all received the last move."""
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder), prompts=10, versions=moves)
        with serving(data) as url:
            return asyncio.run(_stream_delay(url, data, clients, moves))


def main() -> None:
    """Measure the delay and print it."""
    delay = measured()
    print(
        f"{delay.clients} clients receive a label's move: median {delay.median:.0f} ms, p99 {delay.p99:.0f} ms, "
        f"longest {delay.longest:.0f} ms ({delay.moves} moves; the move's own response took {delay.response:.0f} ms)"
    )


if __name__ == "__main__":
    main()
