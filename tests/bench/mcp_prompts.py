"""The latency of `prompts/get` over the Model Context Protocol, beside `POST …/render` of the same prompt.

    python -m bench.mcp_prompts

Every request is sent on one connection and answered before the next; the requests that are compared alternate, so that a busy
machine delays each of them equally.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.serving import Data, build, serving

REQUESTS, WARM_UP = 2000, 100
PROTOCOLS = ("2026-07-28", "2025-11-25")


@dataclass(frozen=True)
class Latency:
    """Milliseconds at the median and the 99th percentile, and the ratio of the latter to the rendering route's."""

    what: str
    p50: float
    p99: float
    p99_ratio: float


@dataclass(frozen=True)
class Post:
    """One request: its path, body and headers."""

    path: str
    body: str
    headers: Mapping[str, str]


def latencies(data: Data, requests: int = REQUESTS) -> list[Latency]:
    """Send each kind of request in turn, and return the latencies of each."""
    name = data.names[0]
    variables = {"ticket": "My card has not come"}
    headers = {**data.authorization, "Content-Type": "application/json"}
    posts = {"POST …/render": Post(f"/v1/prompts/{name}/render", json.dumps({"variables": variables}), headers)}
    for protocol in PROTOCOLS:
        posts[f"MCP prompts/get, {protocol}"] = _get_prompt(protocol, name, variables, headers)
    seconds: dict[str, list[float]] = {what: [] for what in posts}
    with serving(data) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        for number in range(WARM_UP + requests):
            for what, post in posts.items():
                started = time.perf_counter()
                connection.request("POST", post.path, post.body, dict(post.headers))
                response = connection.getresponse()
                body = response.read()
                if number >= WARM_UP:
                    seconds[what].append(time.perf_counter() - started)
                assert response.status == 200, body
                assert variables["ticket"].encode() in body, body
        connection.close()
    reference = _percentile(seconds["POST …/render"], 0.99)
    return [
        Latency(what, _percentile(times, 0.5) * 1000, _percentile(times, 0.99) * 1000, _percentile(times, 0.99) / reference)
        for what, times in seconds.items()
    ]


def _get_prompt(protocol: str, name: str, arguments: dict[str, str], headers: dict[str, str]) -> Post:
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    more = {"MCP-Protocol-Version": protocol, "Accept": "application/json, text/event-stream"}
    if protocol == PROTOCOLS[0]:
        prefix = "io.modelcontextprotocol/"
        params["_meta"] = {f"{prefix}protocolVersion": protocol, f"{prefix}clientCapabilities": {}}
        more |= {"Mcp-Method": "prompts/get", "Mcp-Name": name}
    body = {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": params}
    return Post("/mcp", json.dumps(body), {**headers, **more})


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measured() -> list[Latency]:
    """Return the latencies on a fresh data directory of a hundred prompts."""
    with tempfile.TemporaryDirectory() as folder:
        return latencies(build(Path(folder) / "data", 100))


if __name__ == "__main__":
    for latency in measured():
        print(f"{latency.what:32} p50 {latency.p50:6.2f} ms   p99 {latency.p99:6.2f} ms   ratio {latency.p99_ratio:.2f}")
