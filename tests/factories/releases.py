"""Databases that earlier releases wrote, and the answers that those releases gave from them (tests/golden/upgrades)."""

import base64
import gzip
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from paths import GOLDEN

RELEASES = ("0.1.0", "0.2.0", "0.3.0")
DIALECTS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class RecordedAnswer:
    """A request, and the status and JSON body with which the release answered it."""

    method: str
    path: str
    key: str
    status: int
    answer: Any
    body: Any = None

    @property
    def computed(self) -> bool:
        """Whether the answer has figures that are computed for the request, so that their last digits may differ."""
        return re.search(r"/(agreement|compare|plan|query|render|search|similar)(\?|$)", self.path) is not None

    @property
    def about(self) -> str:
        """The request in one line, for the message of a failed assertion."""
        return f"{self.method} {self.path} as {self.key}"


@dataclass(frozen=True)
class Release:
    """What one release left.

    Attributes:
        name: as `0.1.0`.
        now: the moment at which the release answered.
        keys: the text of each API key, by a short name.
        answers: in the order in which they were recorded.
        queued: each run that the release queued and did not do, and the finished run that had the same plan.
        retry: a write under an idempotency key, with its answer.
        vectors: the embeddings of the texts that the recorded queries need, float32 of length 384.
    """

    name: str
    now: datetime
    keys: Mapping[str, str]
    answers: Sequence[RecordedAnswer]
    queued: Mapping[str, str]
    retry: Mapping[str, Any]
    vectors: Mapping[str, Any]

    def restore(self, url: str) -> None:
        """Write the release's database to an empty one."""
        if url.startswith("sqlite:///"):
            file = Path(url.removeprefix("sqlite:///"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_unpacked(self.name, "promptuary.db.gz"))
            return
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_unpacked(self.name, "promptuary.sql.gz"))

    def answers_to(self, prefix: str) -> list[RecordedAnswer]:
        """Return the recorded answers whose path starts with a text."""
        return [recorded for recorded in self.answers if recorded.path.startswith(prefix)]


class RecordedEmbedder:
    """Returns the vectors that the release's own embedder computed; any other text gets the same arbitrary vector."""

    model = "all-MiniLM-L6-v2"
    dimensions = 384

    def __init__(self, vectors: Mapping[str, Any]) -> None:
        self._vectors = vectors
        self._other = np.eye(1, self.dimensions, dtype=np.float32)[0]

    def embed(self, texts: Sequence[str]) -> Any:
        """Return one row for each text: shape (len(texts), 384), float32."""
        return np.stack([self._vectors.get(text, self._other) for text in texts])


class RecordingIndex:
    """An index that notes which ids it was told to add and to delete, and has nothing to find."""

    def __init__(self) -> None:
        self.upserted: list[str] = []
        self.deleted: list[str] = []

    def upsert(self, collection: str, entries: Sequence[Any]) -> None:
        """Note the entries' ids."""
        self.upserted += [entry.id for entry in entries]

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Note the ids."""
        self.deleted += ids

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Any]) -> list[Any]:
        """Find nothing."""
        return []

    def count(self, collection: str) -> int:
        """Count what was added."""
        return len(self.upserted)

    def drop(self, collection: str) -> None:
        """Keep what was noted."""

    def close(self) -> None:
        """Keep what was noted."""


@lru_cache
def read_release(name: str) -> Release:
    """Read what a release left; one object for each release and test process."""
    body = json.loads(_unpacked(name, "expected.json.gz"))
    vectors = {text: np.frombuffer(base64.b64decode(row), dtype="<f4") for text, row in body["vectors"].items()}
    return Release(
        name=body["release"],
        now=datetime.fromisoformat(body["now"]),
        keys=body["keys"],
        answers=[RecordedAnswer(**answer) for answer in body["answers"]],
        queued=body["queued"],
        retry=body["idempotent"],
        vectors=vectors,
    )


def lost(before: Any, now: Any, tolerance: float, path: str = "") -> Iterator[str]:
    """Yield a line for each value of an old answer that a new one has not, or has differently; keys may be added.

    Args:
        before: the old answer, JSON.
        now: the new answer, JSON.
        tolerance: the relative difference that two floats may have; 0 for figures that are stored.
        path: where in the answer this is.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            if name in now:
                yield from lost(value, now[name], tolerance, f"{path}.{name}")
            else:
                yield f"{path}.{name} is missing"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from lost(old, new, tolerance, f"{path}[{number}]")
    elif isinstance(before, float) and isinstance(now, float) and math.isclose(before, now, rel_tol=tolerance):
        return
    elif before != now:
        yield f"{path} was {before!r} and is {now!r}"


def added(before: Any, now: Any) -> Iterator[str]:
    """Yield the names of the keys that a new answer has and an old one has not, at any depth."""
    if isinstance(before, dict) and isinstance(now, dict):
        yield from now.keys() - before.keys()
        for name in before.keys() & now.keys():
            yield from added(before[name], now[name])
    elif isinstance(before, list) and isinstance(now, list):
        for old, new in zip(before, now, strict=False):
            yield from added(old, new)


def _unpacked(release: str, file: str) -> bytes:
    return gzip.decompress((GOLDEN / "upgrades" / release / file).read_bytes())
