"""Tokens a second of the local model: under a run, and under a bare client that sends the same requests to the same server."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from bench.evaluation import Place
from promptuary.core.settings import read_settings
from promptuary.models import local_server

CASES, CONCURRENCY, TOKENS, ROUNDS = 80, 4, 32, 2
PROMPT = "Write a short answer to a customer who asks: {}"


@dataclass(frozen=True)
class Rate:
    """The tokens of the outputs, and the seconds that they took."""

    what: str
    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


def questions() -> Iterator[str]:
    """Yield each question once."""
    for number in range(CASES):
        yield f"where is order {number}, and when will it come?"


def under_a_run(folder: Path) -> Rate:
    """Run a suite; measure from the first request to the last output."""
    place = Place.create(folder)
    prompt = folder / "prompts" / "answer.yaml"
    template = PROMPT.format("{{text}}")
    prompt.write_text(
        f'type: text\ntemplate: "{template}"\nmodel: {{name: "local:smollm2", temperature: 0, max_tokens: {TOKENS}}}\n'
    )
    place.run("sync", "apply", str(prompt.parent))
    (folder / "ask.jsonl").write_text(
        "".join(json.dumps({"id": f"c{number}", "vars": {"text": text}}) + "\n" for number, text in enumerate(questions()))
    )
    body = {
        "name": "ask",
        "prompt": "answer",
        "dataset": "ask.jsonl",
        "models": ["local:smollm2"],
        "concurrency": CONCURRENCY,
        "scorers": [{"type": "word-count", "value": {"min": 1}}],
    }
    (folder / "ask.yaml").write_text(json.dumps(body))
    place.run("eval", "run", "ask.yaml")
    tokens = place.query("SELECT sum(tokens_output) FROM result")
    # The first outputs' own time lies before the first result.
    first = datetime.fromisoformat(place.query("SELECT min(at) FROM result"))
    last = datetime.fromisoformat(place.query("SELECT max(at) FROM result"))
    first_latency = place.query("SELECT latency_ms FROM result ORDER BY at LIMIT 1") / 1000
    return Rate("promptuary eval run", int(tokens), (last - first).total_seconds() + first_latency)


def bare(folder: Path) -> Rate:
    """Send the same requests to the same server by plain HTTP, as many at once."""
    server = local_server.start_local_server("smollm2", read_settings(data_dir=folder, concurrency=CONCURRENCY))
    try:
        return asyncio.run(_bare_rate(server.url, server.key))
    finally:
        server.close()


async def _bare_rate(url: str, key: str) -> Rate:
    remaining = questions()
    token_counts: list[int] = []
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:

        async def worker() -> None:
            for text in remaining:
                message = {"role": "user", "content": PROMPT.format(text)}
                body = {"model": "smollm2", "messages": [message], "temperature": 0, "max_tokens": TOKENS}
                response = (await client.post("/chat/completions", json=body)).raise_for_status()
                token_counts.append(response.json()["usage"]["completion_tokens"])

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
        return Rate("a bare client", sum(token_counts), time.perf_counter() - started)


def rates() -> list[tuple[Rate, Rate]]:
    """Measure both in turn; return pairs of run and bare client."""
    pairs = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            pairs.append((under_a_run(Path(folder)), bare(Path(other))))
    return pairs
