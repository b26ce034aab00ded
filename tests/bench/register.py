"""The versions a second that a server registers with full durability, beside bare commits of the same SQLite."""

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.serving import Data, build, serving

CONNECTIONS, SECONDS = 16, 5.0


@dataclass(frozen=True)
class Row:
    """Writes a second, and the ratio to bare commits."""

    what: str
    rate: float
    ratio: float


def registered(data: Data, seconds: float = SECONDS) -> float:
    """Register new versions of different prompts over 16 connections; return the versions acknowledged a second."""
    with serving(data) as url:
        end, counts = time.perf_counter() + seconds, [0] * CONNECTIONS

        def write(number: int) -> None:
            with httpx.Client(base_url=url, headers=data.authorization) as client:
                while time.perf_counter() < end:
                    body = {"type": "text", "template": f"{number} {counts[number]} {{{{name}}}}"}
                    assert client.post(f"/v1/prompts/bench.writer{number}/versions", json=body).status_code == 201
                    counts[number] += 1

        started = time.perf_counter()
        writers = [threading.Thread(target=write, args=(number,)) for number in range(CONNECTIONS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        return sum(counts) / (time.perf_counter() - started)


def committed(folder: Path, seconds: float = 2.0) -> float:
    """Insert one row a transaction straight into SQLite, synced as the server's are; return commits a second."""
    from promptuary.core.database import sqlite_driver

    connection = sqlite_driver().connect(folder / "bare.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE t (id INTEGER PRIMARY KEY, body)"):
        connection.execute(statement)
    count, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t (body) VALUES (?)", ("x" * 500,))
        connection.execute("COMMIT")
        count += 1
    rate = count / (time.perf_counter() - started)
    connection.close()
    return rate


def rows() -> list[Row]:
    """Measure the server and the bare commits."""
    with tempfile.TemporaryDirectory() as folder:
        bare = committed(Path(folder))
        rate = registered(build(Path(folder) / "data", prompts=100))
    return [Row("bare SQLite commits, one thread", bare, 1.0), Row(f"register, {CONNECTIONS} connections", rate, rate / bare)]


def main() -> None:
    """Measure both and print the rates."""
    for row in rows():
        print(f"{row.what:40} {row.rate:8.0f} /s  {row.ratio:5.2f}")


if __name__ == "__main__":
    main()
