"""Texts a second of the scorer `similar` in a run on the echoing model, beside those of the bare embedding model.

    python -m bench.similar [bare]

With `bare` it embeds the same texts at once, and prints its seconds after the model is loaded.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evaluation import Place

PAIRS, FEW_PAIRS, CONCURRENCY = 1379, 64, 64
_WORDS = "a man woman child dog plays runs eats the guitar in on park street while sun rain red small house two people old car"


@dataclass(frozen=True)
class Rates:
    """The texts a second of a run and of the bare model, without starting and loading."""

    run: float
    bare: float


def pairs() -> list[tuple[str, str]]:
    """Return pairs of sentences of 5 to 25 words, the same on every machine."""
    source = random.Random(0)
    words = _WORDS.split()

    def sentence() -> str:
        return " ".join(source.choices(words, k=source.randint(5, 25)))

    return [(sentence(), sentence()) for _ in range(PAIRS)]


def measured() -> Rates:
    """Run few pairs and all, whose difference leaves starting and loading out; then the bare model."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place.create(Path(folder))
        few, many = (place.run("eval", "run", str(_suite(place, pairs()[:count])))[0] for count in (FEW_PAIRS, PAIRS))
    command = [sys.executable, "-m", "bench.similar", "bare"]
    bare = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Rates(2 * (PAIRS - FEW_PAIRS) / (many - few), 2 * PAIRS / bare)


def _suite(place: Place, chosen: Sequence[tuple[str, str]]) -> Path:
    name = f"pairs-{len(chosen)}"
    lines = [
        json.dumps({"id": f"c{number}", "vars": {"text": text}, "expected": expected})
        for number, (text, expected) in enumerate(chosen)
    ]
    (place.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    body = {
        "name": name,
        "prompt": "echo",
        "dataset": f"{name}.jsonl",
        "models": ["echo:"],
        "concurrency": CONCURRENCY,
        "scorers": [{"type": "similar", "value": "{{expected}}"}],
    }
    path = place.folder / f"{name}.yaml"
    path.write_text(json.dumps(body))
    return path


def bare() -> float:
    """Return the seconds that the model needs for all texts at once."""
    from promptuary.core.settings import read_settings
    from promptuary.embedding.model import build_embedder

    embedder = build_embedder(read_settings())
    embedder.embed(["loaded"])
    texts = [text for pair in pairs() for text in pair]
    started = time.perf_counter()
    embedder.embed(texts)
    return time.perf_counter() - started


def main() -> None:
    """Run the bare model, or measure and print everything."""
    print(bare() if sys.argv[1:] == ["bare"] else measured())


if __name__ == "__main__":
    main()
