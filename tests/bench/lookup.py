"""The speed of lookups beside a bare ASGI app, with few and many prompts, and the delay until lookups show a write.

`make bench` runs it; it needs `wrk`. The bare app sends the bytes and headers of one lookup on the same uvicorn, the minimum
for any service on it. Both are driven in turn, so that a ratio is valid on a busy machine, too; other figures are not.
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
local requests, n = {}, 0
init = function(args)
  math.randomseed(tonumber(args[1]))
  for path in io.lines(args[2]) do
    n = n + 1
    requests[n] = wrk.format("GET", path, {["Host"] = "127.0.0.1", ["Authorization"] = args[3]})
  end
end
request = function() return requests[math.random(n)] end
done = function(summary, latency, _)
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
    """The result of one run of wrk; latencies in milliseconds."""

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
class VisibilityDelay:
    """Milliseconds from a write's response to the first lookup that shows it, and the lookups that did not show it yet."""

    where: str
    writes: int
    median: float
    longest: float
    outdated: int


# --- processes ----------------------------------------------------------------------------------------------------------


@contextmanager
def bare(data: Data, url: str) -> Iterator[str]:
    """Run the app that sends one of the server's responses to every request."""
    response = httpx.get(f"{url}/v1/prompts/{data.names[0]}", headers=data.authorization)
    assert response.status_code == 200, response.text
    port, file = free_port(), data.folder / "answer.json"
    headers = [pair for pair in response.headers.multi_items() if pair[0] != "date"]
    file.write_text(json.dumps({"body": response.text, "headers": headers}))
    with running([sys.executable, "-c", BARE, str(port), str(file)], f"http://127.0.0.1:{port}") as bare_url:
        yield bare_url


def drive(data: Data, url: str, seconds: float, turn: int = 0) -> Load:
    """Run wrk on lookups of random prompts.

    Args:
        data: the prompts to look up.
        url: of the server.
        seconds: the duration, rounded to whole seconds.
        turn: the seed of the random prompts.

    Raises:
        NoWrk: wrk is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrk("the load generator `wrk` is not installed (Debian: apt-get install wrk)")
    script, paths = data.folder / "lookup.lua", data.folder / "paths"
    script.write_text(SCRIPT)
    paths.write_text("".join(f"/v1/prompts/{name}\n" for name in data.names))
    options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{max(1, round(seconds))}s", "-s", str(script), url]
    arguments = ["--", str(turn), str(paths), data.authorization["Authorization"]]
    process = subprocess.run([wrk, *options, *arguments], capture_output=True, text=True, check=True)
    load = json.loads(process.stdout.splitlines()[-1])
    assert load["failed"] == 0, process.stdout
    return Load(load["requests"] / load["microseconds"] * 1e6, load["p50"] / 1000, load["p99"] / 1000)


def warm(data: Data, url: str) -> None:
    """Send one lookup of each prompt."""
    with httpx.Client(base_url=url, headers=data.authorization) as client:
        for name in data.names:
            assert client.get(f"/v1/prompts/{name}").status_code == 200


# --- what is measured ---------------------------------------------------------------------------------------------------


def throughput(data: Data, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    """Drive the bare app and the server in turn, with all responses in memory; and a server that has just been started."""
    with serving(data) as url, bare(data, url) as reference:
        warm(data, url)
        loads = [(drive(data, reference, seconds, turn), drive(data, url, seconds, turn)) for turn in range(rounds)]
    with serving(data) as url:
        cold = drive(data, url, seconds)
    references, lookups = [reference for reference, _ in loads], [load for _, load in loads]
    return [
        row("bare ASGI app", references, references),
        row(f"lookup, {len(data.names):,} prompts", lookups, references),
        row(f"lookup, {len(data.names):,} prompts, nothing in memory", [cold], [references[-1]]),
    ]


def growth(few: Data, many: Data, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    """Drive a server with few prompts and one with many in turn."""
    with serving(few) as few_url, serving(many) as many_url:
        warm(few, few_url)
        warm(many, many_url)
        loads = [(drive(few, few_url, seconds, turn), drive(many, many_url, seconds, turn)) for turn in range(rounds)]
    references, lookups = [reference for reference, _ in loads], [load for _, load in loads]
    return [
        row(f"lookup, {len(few.names):,} prompts", references, references),
        row(f"lookup, {len(many.names):,} prompts", lookups, references),
    ]


def row(what: str, loads: Sequence[Load], references: Sequence[Load]) -> Row:
    """Return the medians, and the medians of the ratios within each round."""
    pairs = list(zip(loads, references, strict=True))
    return Row(
        what,
        statistics.median(load.rate for load in loads),
        statistics.median(load.p50 for load in loads),
        statistics.median(load.p99 for load in loads),
        statistics.median(load.rate / reference.rate for load, reference in pairs),
        statistics.median(load.p99 / reference.p99 for load, reference in pairs),
    )


def freshness(data: Data, writes: int = 100) -> list[VisibilityDelay]:
    """Move a label repeatedly, and look it up at once: on the server that moved it, and on another process."""
    with serving(data) as url, serving(data) as other:
        return [
            _visibility_delay("the same server", data, (url, url), writes),
            _visibility_delay("another process", data, (url, other), writes),
        ]


def _visibility_delay(where: str, data: Data, urls: tuple[str, str], writes: int) -> VisibilityDelay:
    """Write by the first URL and look up by the second."""
    writer_url, reader_url = urls
    path, delays, outdated = f"/v1/prompts/{data.names[0]}", [], 0
    with httpx.Client(headers=data.authorization) as writer, httpx.Client(headers=data.authorization) as reader:
        for number in range(writes):
            version = 1 + number % 2
            assert reader.get(reader_url + path).status_code == 200
            assert writer.put(f"{writer_url}{path}/labels/production", json={"version": version}).status_code == 200
            started = time.perf_counter()
            while reader.get(reader_url + path).json()["version"] != version:
                outdated += 1
                assert time.perf_counter() - started < 10, "no lookup shows the write"
            delays.append((time.perf_counter() - started) * 1000)
    return VisibilityDelay(where, writes, statistics.median(delays), max(delays), outdated)


def report(rows: Sequence[Row]) -> None:
    print(f"{'':44} {'requests/s':>10} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7} {'ratio':>6}")
    for row in rows:
        print(f"{row.what:44} {row.rate:10.0f} {row.rate_ratio:6.2f} {row.p50:7.2f} {row.p99:7.2f} {row.p99_ratio:6.2f}")


def main() -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory() as folder:
        few = build(Path(folder) / "few", 100)
        many = build(Path(folder) / "many")
        try:
            report(throughput(many))
            report(growth(few, many))
        except NoWrk as error:
            print(f"lookups under load were not measured: {error}")
        for delay in freshness(few):
            print(
                f"lookups on {delay.where} show a write {delay.median:.1f} ms after its response "
                f"(longest {delay.longest:.1f}), {delay.outdated} of {delay.writes} lookups outdated"
            )


if __name__ == "__main__":
    main()
