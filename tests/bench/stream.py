"""How soon 200 clients that follow the stream hear of a label's move."""

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
class Heard:
    """Milliseconds from sending the move to hearing of it, over every client and move; the move's own answer for comparison."""

    clients: int
    moves: int
    median: float
    p99: float
    longest: float
    answer: float


async def _heard(url: str, data: Data, clients: int, moves: int) -> Heard:
    sent: dict[int, float] = {}
    took: list[float] = []
    answers: list[float] = []
    ready = asyncio.Semaphore(0)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, headers=data.authorization, timeout=60, limits=limits) as http:

        async def follow() -> None:
            async with http.stream("GET", "/v1/stream") as answer:
                kind, heard = "", 0
                async for line in answer.aiter_lines():
                    now = time.perf_counter()
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif kind == "ready" and line.startswith("data: "):
                        ready.release()
                    elif kind == "label.moved" and line.startswith("data: "):
                        took.append((now - sent[int(json.loads(line.removeprefix("data: "))["version"])]) * 1000)
                        heard += 1
                        if heard == moves:
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
                answers.append((time.perf_counter() - sent[version]) * 1000)
                while len(took) < version * clients:
                    await asyncio.sleep(0.005)
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    return Heard(clients, moves, statistics.median(took), p99, took[-1], statistics.median(answers))


def measured(clients: int = CLIENTS, moves: int = MOVES) -> Heard:
    """Follow with so many clients, and move a label so often, each time when all have heard of the last move."""
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder), prompts=10, versions=moves)
        with serving(data) as url:
            return asyncio.run(_heard(url, data, clients, moves))


def main() -> None:
    """Measure, and print."""
    heard = measured()
    print(
        f"{heard.clients} clients hear of a label's move: median {heard.median:.0f} ms, p99 {heard.p99:.0f} ms, "
        f"longest {heard.longest:.0f} ms ({heard.moves} moves; the move's own answer took {heard.answer:.0f} ms)"
    )


if __name__ == "__main__":
    main()
