"""How fast a lookup is beside a bare ASGI app, whether that changes with the number of prompts, and when a write is seen.

`make bench` runs it; it needs `wrk`. The bare app answers the bytes and headers of one lookup on the same uvicorn, the least
that any service on it can do. Both are driven in turn, so that a ratio holds on a busy machine, too; other figures do not.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.serving import Data, build, free_port, running, serving

CONNECTIONS, ROUNDS, SECONDS = 16, 3, 5.0
BARE = """
import json, sys, uvicorn
answer = json.load(open(sys.argv[2]))
body = answer["body"].encode()
headers = [(name.encode(), value.encode()) for name, value in answer["headers"]]
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
quiet = {"log_config": None, "access_log": False, "server_header": False, "lifespan": "off"}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), **quiet)
"""
SCRIPT = """
local asked, n = {}, 0
init = function(args)
  math.randomseed(tonumber(args[1]))
  for path in io.lines(args[2]) do
    n = n + 1
    asked[n] = wrk.format("GET", path, {["Host"] = "127.0.0.1", ["Authorization"] = args[3]})
  end
end
request = function() return asked[math.random(n)] end
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\\n{"requests": %d, "microseconds": %d, "failed": %d, "p50": %f, "p99": %f}\\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
"""


class NoWrk(Exception):
    """The load generator is not installed."""


@dataclass(frozen=True)
class Load:
    """What one run of wrk found; latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Row:
    """Medians over the rounds, and the ratios of requests a second and of p99 to the reference of the same rounds."""

    what: str
    rate: float
    p50: float
    p99: float
    rate_ratio: float
    p99_ratio: float


@dataclass(frozen=True)
class Seen:
    """From a write's answer to the first lookup that shows it, in milliseconds; and the lookups that did not show it yet."""

    where: str
    writes: int
    median: float
    longest: float
    outdated: int


# --- processes ----------------------------------------------------------------------------------------------------------


@contextmanager
def bare(data: Data, url: str) -> Iterator[str]:
    """Run the app that gives one of the server's answers to everything."""
    answer = httpx.get(f"{url}/v1/prompts/{data.names[0]}", headers=data.authorization)
    assert answer.status_code == 200, answer.text
    port, file = free_port(), data.folder / "answer.json"
    headers = [pair for pair in answer.headers.multi_items() if pair[0] != "date"]
    file.write_text(json.dumps({"body": answer.text, "headers": headers}))
    with running([sys.executable, "-c", BARE, str(port), str(file)], f"http://127.0.0.1:{port}") as at:
        yield at


def drive(data: Data, url: str, seconds: float, turn: int = 0) -> Load:
    """Look random prompts up with wrk for so many seconds.

    Raises:
        NoWrk: where it is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrk("the load generator `wrk` is not installed (Debian: apt-get install wrk)")
    script, paths = data.folder / "lookup.lua", data.folder / "paths"
    script.write_text(SCRIPT)
    paths.write_text("".join(f"/v1/prompts/{name}\n" for name in data.names))
    options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{max(1, round(seconds))}s", "-s", str(script), url]
    given = ["--", str(turn), str(paths), data.authorization["Authorization"]]
    done = subprocess.run([wrk, *options, *given], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == 0, done.stdout
    return Load(found["requests"] / found["microseconds"] * 1e6, found["p50"] / 1000, found["p99"] / 1000)


def warm(data: Data, url: str) -> None:
    """Look each prompt up once."""
    with httpx.Client(base_url=url, headers=data.authorization) as client:
        for name in data.names:
            assert client.get(f"/v1/prompts/{name}").status_code == 200


# --- what is measured ---------------------------------------------------------------------------------------------------


def throughput(data: Data, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    """Drive the bare app and the server in turn, with every answer in memory; and a server that has just been started."""
    with serving(data) as url, bare(data, url) as reference:
        warm(data, url)
        loads = [(drive(data, reference, seconds, turn), drive(data, url, seconds, turn)) for turn in range(rounds)]
    with serving(data) as url:
        cold = drive(data, url, seconds)
    references, found = [one for one, _ in loads], [one for _, one in loads]
    return [
        row("bare ASGI app", references, references),
        row(f"lookup, {len(data.names):,} prompts", found, references),
        row(f"lookup, {len(data.names):,} prompts, nothing in memory", [cold], [references[-1]]),
    ]


def growth(few: Data, many: Data, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    """Drive a server with few prompts and one with many in turn."""
    with serving(few) as one, serving(many) as other:
        warm(few, one)
        warm(many, other)
        loads = [(drive(few, one, seconds, turn), drive(many, other, seconds, turn)) for turn in range(rounds)]
    references, found = [one for one, _ in loads], [one for _, one in loads]
    return [
        row(f"lookup, {len(few.names):,} prompts", references, references),
        row(f"lookup, {len(many.names):,} prompts", found, references),
    ]


def row(what: str, loads: Sequence[Load], references: Sequence[Load]) -> Row:
    """Take the medians, and the medians of the ratios within each round."""
    pairs = list(zip(loads, references, strict=True))
    return Row(
        what,
        statistics.median(load.rate for load in loads),
        statistics.median(load.p50 for load in loads),
        statistics.median(load.p99 for load in loads),
        statistics.median(load.rate / reference.rate for load, reference in pairs),
        statistics.median(load.p99 / reference.p99 for load, reference in pairs),
    )


def freshness(data: Data, writes: int = 100) -> list[Seen]:
    """Move a label again and again, and look it up at once: on the server that was told, and on another process."""
    with serving(data) as url, serving(data) as other:
        return [_seen("the same server", data, url, url, writes), _seen("another process", data, url, other, writes)]


def _seen(where: str, data: Data, writer: str, reader: str, writes: int) -> Seen:
    path, took, outdated = f"/v1/prompts/{data.names[0]}", [], 0
    with httpx.Client(headers=data.authorization) as told, httpx.Client(headers=data.authorization) as asked:
        for number in range(writes):
            version = 1 + number % 2
            assert asked.get(reader + path).status_code == 200
            assert told.put(f"{writer}{path}/labels/production", json={"version": version}).status_code == 200
            started = time.perf_counter()
            while asked.get(reader + path).json()["version"] != version:
                outdated += 1
                assert time.perf_counter() - started < 10, "the write is not seen"
            took.append((time.perf_counter() - started) * 1000)
    return Seen(where, writes, statistics.median(took), max(took), outdated)


def report(rows: Sequence[Row]) -> None:
    print(f"{'':44} {'requests/s':>10} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7} {'ratio':>6}")
    for one in rows:
        print(f"{one.what:44} {one.rate:10.0f} {one.rate_ratio:6.2f} {one.p50:7.2f} {one.p99:7.2f} {one.p99_ratio:6.2f}")


def main() -> None:
    """Measure all of it, and print."""
    with tempfile.TemporaryDirectory() as folder:
        few = build(Path(folder) / "few", 100)
        many = build(Path(folder) / "many")
        try:
            report(throughput(many))
            report(growth(few, many))
        except NoWrk as error:
            print(f"lookups under load were not measured: {error}")
        for seen in freshness(few):
            print(
                f"a write is seen on {seen.where}: {seen.median:.1f} ms after its answer (longest {seen.longest:.1f}), "
                f"{seen.outdated} of {seen.writes} lookups outdated"
            )


if __name__ == "__main__":
    main()
