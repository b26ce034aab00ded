"""Calls of a model behind HTTP: those of a run beside those of a bare aiohttp client, in turn, against the same server.

    python -m bench.model_calls [URL CALLS CONCURRENCY]

With arguments it is the bare client, which prints its seconds and its processor's.
"""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evaluation import LATENCY, MODEL_CASES, Place, case, processor_of_children

FEW_CASES = 500
IN_FLIGHT = (64, 256)


@dataclass(frozen=True)
class Calls:
    """The calls of one run, and of the bare client beside it.

    Attributes:
        in_flight: how many at once.
        rate: answers a second of the run, from the model's first request to its last response.
        bare_rate: those of the bare client.
        processor_ms: of the run, a case, without what a run of few cases takes.
        bare_processor_ms: of the bare client, a call.
    """

    in_flight: int
    rate: float
    bare_rate: float
    processor_ms: float
    bare_processor_ms: float


@contextmanager
def latent_model() -> Iterator[tuple[str, Any]]:
    """Yield the URL of a model of fixed latency, and a function that ends it and returns its answers a second."""
    model = subprocess.Popen([sys.executable, "-m", "bench.latent_model", str(LATENCY)], stdout=subprocess.PIPE, text=True)
    assert model.stdout is not None

    def rate() -> float:
        model.send_signal(signal.SIGTERM)
        outputs, seconds = model.communicate()[0].split()
        return int(outputs) / float(seconds)

    try:
        yield model.stdout.readline().strip(), rate
    finally:
        model.kill()
        model.stdout.close()
        model.wait()


def processor_seconds(run: Any) -> float:
    """Return the processor's seconds of the processes that a function starts and waits for."""
    before = processor_of_children()
    run()
    return processor_of_children() - before


def measured(in_flight: int) -> Calls:
    """Run few cases and many, then the bare client, each against a model of its own."""
    seconds = {}
    for cases in (FEW_CASES, MODEL_CASES):
        with tempfile.TemporaryDirectory() as folder, latent_model() as (url, rate):
            place = Place.create(Path(folder), OPENAI_BASE_URL=url, OPENAI_API_KEY="none")
            suite = place.suite(cases, "openai:latent", in_flight)
            seconds[cases] = processor_seconds(lambda place=place, suite=suite: place.run("eval", "run", str(suite)))
            run_rate = rate()
    with latent_model() as (url, rate):
        command = [sys.executable, "-m", "bench.model_calls", url, str(MODEL_CASES), str(in_flight)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        bare_rate = rate()
    marginal = (seconds[MODEL_CASES] - seconds[FEW_CASES]) / (MODEL_CASES - FEW_CASES)
    return Calls(in_flight, run_rate, bare_rate, 1000 * marginal, 1000 * float(printed) / MODEL_CASES)


async def bare_client(url: str, calls: int, in_flight: int) -> None:
    """Make the same calls with nothing around them, and print the processor's seconds."""
    import aiohttp

    numbers = iter(range(calls))
    started = time.process_time()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for number in numbers:
                body = {"model": "latent", "messages": [{"role": "user", "content": case(number)["vars"]["text"]}]}
                data = json.dumps(body).encode()
                headers = {"content-type": "application/json", "authorization": "Bearer none"}
                async with session.post(f"{url}/chat/completions", data=data, headers=headers) as response:
                    assert (await response.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(in_flight)))
    print(time.process_time() - started)


def main() -> None:
    """Run the bare client, or measure and print everything."""
    if len(sys.argv) > 1:
        url, calls, in_flight = sys.argv[1:]
        asyncio.run(bare_client(url, int(calls), int(in_flight)))
        return
    for in_flight in IN_FLIGHT:
        print(measured(in_flight), flush=True)


if __name__ == "__main__":
    main()
