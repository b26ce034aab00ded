"""The speed of the intake, the lookups beside it, and the size of the database.

    python -m bench.traffic [--calls N] [--spans N]

Traces of five spans, one of which is a call with contents of 2 to 4 kB, come as protobuf in requests of 512 spans, as an SDK's
exporter sends them. Sender and server share the machine's cores. The size is measured with `--calls` calls over a day and
projected to 1,000,000.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.serving import Data, build, serving

SPANS, SPANS_A_REQUEST, SPANS_A_TRACE = 60_000, 510, 5
SENDERS = 2
CALLS, PROJECTED_CALLS = 40_000, 1_000_000
LOOKUPS_A_SECOND, LOOKUP_SECONDS = 200, 15.0
SPANS_A_SECOND = 1000
PATH = "/v1/otlp/v1/traces"
_WORDS = (
    "order",
    "shipping",
    "account",
    "refund",
    "the",
    "card",
    "has",
    "not",
    "come",
    "please",
    "answer",
    "in",
    "one",
    "line",
)
_NUMBERS = random.Random(11)


@dataclass(frozen=True)
class Rate:
    """How fast spans are taken."""

    spans: int
    seconds: float

    @property
    def rate(self) -> float:
        """Spans a second."""
        return self.spans / self.seconds


@dataclass(frozen=True)
class Latencies:
    """Lookups at a fixed rate; milliseconds."""

    what: str
    p50: float
    p99: float


@dataclass(frozen=True)
class Size:
    """The bytes of the database for each call, measured and as they are for many."""

    what: str
    calls: int
    bytes_a_call: float


# --- what is sent -------------------------------------------------------------------------------------------------------


def export_request(spans: int, prompt: str) -> bytes:
    """Return a request with new ids: traces of an HTTP span, the application's with the prompt's name, two more and a call."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    _set(resource.resource.attributes, "service.name", "shop")
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai_openai"
    for _ in range(spans // SPANS_A_TRACE):
        trace, parent, start = _NUMBERS.randbytes(16), b"", time.time_ns() - 2 * 10**9
        for depth in range(SPANS_A_TRACE):
            span = scope.spans.add()
            span.trace_id, span.span_id, span.parent_span_id = trace, _NUMBERS.randbytes(8), parent
            span.start_time_unix_nano, span.end_time_unix_nano = start, start + 10**9
            span.name = ("POST /answer", "answer", "retrieve", "SELECT documents", "chat gpt-5-mini")[depth]
            parent = span.span_id
            if depth == 1:
                _set(span.attributes, "gen_ai.prompt.name", prompt)
                _set(span.attributes, "gen_ai.prompt.version", "1")
            elif depth == SPANS_A_TRACE - 1:
                _set_call(span.attributes)
            else:
                for number in range(8):
                    _set(span.attributes, f"http.attribute.{number}", "a value of some length")
    return request.SerializeToString()


def _set_call(attributes: Any) -> None:
    values: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.response.model": "gpt-5-mini-2026-08-07",
        "gen_ai.response.id": f"chatcmpl-{_NUMBERS.getrandbits(120):x}",
        "gen_ai.conversation.id": f"conversation-{_NUMBERS.randrange(10_000)}",
        "gen_ai.usage.input_tokens": _NUMBERS.randrange(200, 900),
        "gen_ai.usage.output_tokens": _NUMBERS.randrange(20, 300),
        "gen_ai.input.messages": f"[{_message('system', 800)},{_message('user', _NUMBERS.randrange(600, 1800))}]",
        "gen_ai.output.messages": f"[{_message('assistant', _NUMBERS.randrange(400, 1000))}]",
        "gen_ai.prompt.variable.ticket": _text(200),
    }
    for name, value in values.items():
        _set(attributes, name, value)


def _message(role: str, size: int) -> str:
    return f'{{"role":"{role}","parts":[{{"type":"text","content":"{_text(size)}"}}]}}'


def _text(size: int) -> str:
    return " ".join(_NUMBERS.choices(_WORDS, k=size // 6))


def _set(attributes: Any, name: str, value: str | int) -> None:
    attribute = attributes.add()
    attribute.key = name
    if isinstance(value, int):
        attribute.value.int_value = value
    else:
        attribute.value.string_value = value


def _send(connection: HTTPConnection, data: Data, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf", **data.authorization}
    while True:
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            return
        assert response.status in (429, 503), response.status
        time.sleep(0.05)


# --- measurements -------------------------------------------------------------------------------------------------------


def intake(data: Data, spans: int = SPANS) -> Rate:
    """Measure how many spans a second a server acknowledges, as fast as two senders send them."""
    bodies = [export_request(SPANS_A_REQUEST, data.names[0]) for _ in range(spans // SPANS_A_REQUEST)]
    with serving(data) as url:
        address = urlsplit(url).netloc
        _send(HTTPConnection(address), data, export_request(SPANS_A_TRACE, data.names[0]))  # the process starts
        remaining = iter(bodies)
        lock = threading.Lock()

        def send_all() -> None:
            connection = HTTPConnection(address)
            while True:
                with lock:
                    body = next(remaining, None)
                if body is None:
                    return
                _send(connection, data, body)

        threads = [threading.Thread(target=send_all) for _ in range(SENDERS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Rate(len(bodies) * SPANS_A_REQUEST, time.perf_counter() - started)


def lookups_beside(data: Data) -> list[Latencies]:
    """Measure lookups at a fixed rate without and with spans that come in beside them, in turn."""
    rounds: dict[str, list[float]] = {"alone": [], f"with {SPANS_A_SECOND:,} spans/s": []}
    alone, beside = rounds
    with serving(data) as url:
        address = urlsplit(url).netloc
        _send(HTTPConnection(address), data, export_request(SPANS_A_TRACE, data.names[0]))
        for _ in range(2):
            rounds[alone] += _paced_lookups(address, data)
            with _paced_spans(address, data):
                rounds[beside] += _paced_lookups(address, data)
    return [Latencies(what, *_percentiles(values)) for what, values in rounds.items()]


def _paced_lookups(address: str, data: Data) -> list[float]:
    """Return the milliseconds of lookups at a fixed rate, each from when it was due."""
    connection, milliseconds = HTTPConnection(address), []
    started = time.perf_counter()
    for number in range(int(LOOKUPS_A_SECOND * LOOKUP_SECONDS)):
        due = started + number / LOOKUPS_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", f"/v1/prompts/{_NUMBERS.choice(data.names)}?label=production", headers=data.authorization)
        connection.getresponse().read()
        milliseconds.append((time.perf_counter() - due) * 1000)
    return milliseconds


@contextmanager
def _paced_spans(address: str, data: Data) -> Iterator[None]:
    """Send spans at a fixed rate until the block ends."""
    stop = threading.Event()
    bodies = [
        export_request(SPANS_A_REQUEST, data.names[0])
        for _ in range(int(LOOKUP_SECONDS * SPANS_A_SECOND / SPANS_A_REQUEST) + 4)
    ]

    def send_all() -> None:
        connection, started = HTTPConnection(address), time.perf_counter()
        for number, body in zip(count(), bodies, strict=False):
            if stop.wait(max(0.0, started + number * SPANS_A_REQUEST / SPANS_A_SECOND - time.perf_counter())):
                return
            _send(connection, data, body)

    thread = threading.Thread(target=send_all)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _percentiles(milliseconds: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(milliseconds, n=100)
    return cuts[49], cuts[98]


def sizes(calls: int = CALLS) -> list[Size]:
    """Measure the bytes of a call that is counted, and of one whose contents are in the sample, by the difference."""
    counted = _bytes(calls, sample=0.0) / calls
    sampled = _bytes(calls, sample=1.0) / calls
    return [Size("counted alone", calls, counted), Size("in the sample, with its contents, besides", calls, sampled - counted)]


def _bytes(calls: int, sample: float) -> float:
    """Return the bytes that calls of a day leave in a database, after their wait."""
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary.traffic.intake.intake import TrafficIntake
    from promptuary.traffic.intake.settling.settling import SampleSettling
    from promptuary.traffic.otlp.traces import read_traces

    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder), 1, 1)
        shares = {"traffic_sample": sample, "traffic_error_sample": sample, "traffic_low_sample": sample}
        settings = read_settings(data_dir=data.folder, traffic_reservoir=1_000_000, **shares)
        database = Database(settings.sql_url)
        now = [datetime.now(UTC) - timedelta(days=1)]
        intake = TrafficIntake(database, lambda: now[0], settings)
        settling = SampleSettling(database, lambda: now[0], settings)
        before = _used(database)
        requests = calls * SPANS_A_TRACE // SPANS_A_REQUEST
        for _ in range(requests):
            intake.take(1, read_traces(export_request(SPANS_A_REQUEST, data.names[0]), is_json=False))
            now[0] += timedelta(hours=23) / requests
            settling.step()
        now[0] += timedelta(minutes=30)
        while settling.step():
            pass
        used = _used(database) - before
        database.dispose()
    return used


def _used(database: Any) -> int:
    """Return the bytes of the pages in use."""
    with database.read() as session:
        pages, free, size = (
            session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def main() -> None:
    """Measure everything, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--spans", type=int, default=SPANS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder), 100)
        rate = intake(data, arguments.spans)
        print(f"{rate.spans:,} spans: {rate.rate:,.0f} spans/s")
        for latencies in lookups_beside(data):
            print(f"lookups {latencies.what}: p50 {latencies.p50:.2f} ms, p99 {latencies.p99:.2f} ms")
    for size in sizes(arguments.calls):
        projected = size.bytes_a_call * PROJECTED_CALLS / 1e6
        print(f"{size.what}: {size.bytes_a_call:,.0f} bytes a call, {projected:,.0f} MB at {PROJECTED_CALLS:,} calls")


if __name__ == "__main__":
    main()
