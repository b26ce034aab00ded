"""Databases that earlier releases wrote, and the responses of those releases (tests/golden/upgrades)."""

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
from sqlalchemy import inspect, text

from paths import GOLDEN
from promptuary.core.database import Database
from promptuary.embedding.index import IndexState

RELEASES = ("0.1.0", "0.2.0", "0.3.0")
DIALECTS = ("sqlite", "postgresql")
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class RecordedResponse:
    """A request, with the status and JSON body of the release's response."""

    method: str
    path: str
    key: str
    status: int
    answer: Any
    body: Any = None

    @property
    def computed(self) -> bool:
        """Whether the response has figures that are computed for the request, so that their last digits may differ."""
        return re.search(r"/(agreement|compare|plan|query|render|search|similar)(\?|$)", self.path) is not None

    @property
    def about(self) -> str:
        """The request in one line, for the message of a failed assertion."""
        return f"{self.method} {self.path} as {self.key}"


@dataclass(frozen=True)
class Release:
    """The recorded data of one release.

    Attributes:
        name: as `0.1.0`.
        now: the timestamp at which the release responded.
        keys: the text of each API key, by a short name.
        responses: the recorded requests with their responses, in their order.
        queued: the id of each run that is still queued, with the id of the finished run that has the same plan.
        retry: a write under an idempotency key, with its response.
        vectors: the embeddings of the texts that the recorded queries need, float32 of length 384.
    """

    name: str
    now: datetime
    keys: Mapping[str, str]
    responses: Sequence[RecordedResponse]
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

    def responses_to(self, prefix: str) -> list[RecordedResponse]:
        """Return the recorded responses whose path starts with a text."""
        return [recorded for recorded in self.responses if recorded.path.startswith(prefix)]


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
    """A vector index that records the ids that are added and deleted; its queries return nothing."""

    reads_sql = False

    def __init__(self) -> None:
        self.upserted: list[str] = []
        self.deleted: list[str] = []

    def upsert(self, collection: str, entries: Sequence[Any]) -> None:
        """Record the entries' ids."""
        self.upserted += [entry.id for entry in entries]

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Record the ids."""
        self.deleted += ids

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Any]) -> list[Any]:
        """Return no hit."""
        return []

    def count(self, collection: str) -> int:
        """Return the number of added ids."""
        return len(self.upserted)

    def state(self, collection: str) -> IndexState:
        """Return the number of added ids."""
        return IndexState(len(self.upserted), 0)

    def set_generation(self, collection: str, generation: int) -> None:
        """Change nothing."""

    def drop(self, collection: str) -> None:
        """Change nothing."""

    def close(self) -> None:
        """Change nothing."""


@lru_cache
def read_release(name: str) -> Release:
    """Read the recorded data of a release; each release is read once in a test process."""
    body = json.loads(_unpacked(name, "expected.json.gz"))
    vectors = {text: np.frombuffer(base64.b64decode(row), dtype="<f4") for text, row in body["vectors"].items()}
    return Release(
        name=body["release"],
        now=datetime.fromisoformat(body["now"]),
        keys=body["keys"],
        responses=[RecordedResponse(**answer) for answer in body["answers"]],
        queued=body["queued"],
        retry=body["idempotent"],
        vectors=vectors,
    )


def differences_between(before: Any, now: Any, tolerance: float, path: str = "") -> Iterator[str]:
    """Yield a line for each value of an old response that is missing or different in the new one; added keys do not count.

    Args:
        before: the old response, JSON.
        now: the new response, JSON.
        tolerance: the relative difference that two floats may have; 0 for figures that are stored.
        path: the position in the response.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            if name in now:
                yield from differences_between(value, now[name], tolerance, f"{path}.{name}")
            else:
                yield f"{path}.{name} is missing"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from differences_between(old, new, tolerance, f"{path}[{number}]")
    elif isinstance(before, float) and isinstance(now, float) and math.isclose(before, now, rel_tol=tolerance):
        return
    elif before != now:
        yield f"{path} was {before!r} and is {now!r}"


def added_keys(before: Any, now: Any) -> Iterator[str]:
    """Yield the names of the keys that a new response has and an old one does not have, at any depth."""
    if isinstance(before, dict) and isinstance(now, dict):
        yield from now.keys() - before.keys()
        for name in before.keys() & now.keys():
            yield from added_keys(before[name], now[name])
    elif isinstance(before, list) and isinstance(now, list):
        for old, new in zip(before, now, strict=False):
            yield from added_keys(old, new)


def rows_of(database: Database) -> Rows:
    """Return every row of every table except Alembic's, sorted by the text of its values."""
    with database.read() as session:
        connection = session.connection()
        rows_of_table = {
            table: [dict(row._mapping) for row in connection.execute(text(f'SELECT * FROM "{table}"'))]
            for table in inspect(connection).get_table_names()
            if table != "alembic_version"
        }
    return {table: sorted(rows, key=repr) for table, rows in rows_of_table.items()}


def schema_of(database: Database) -> dict[str, Any]:
    """Describe each table's columns, keys, indexes and triggers in values that can be compared."""
    triggers = {
        "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    }[database.dialect]
    with database.read() as session:
        inspector = inspect(session.connection())
        schema: dict[str, Any] = {
            table: {
                "columns": sorted(repr({**column, "type": str(column["type"])}) for column in inspector.get_columns(table)),
                "primary key": repr(inspector.get_pk_constraint(table)),
                "foreign keys": sorted(map(repr, inspector.get_foreign_keys(table))),
                "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
                "indexes": sorted(map(repr, inspector.get_indexes(table))),
            }
            for table in inspector.get_table_names()
        }
        schema["triggers"] = sorted(tuple(row) for row in session.connection().execute(text(triggers)))
    return schema


def _unpacked(release: str, file: str) -> bytes:
    return gzip.decompress((GOLDEN / "upgrades" / release / file).read_bytes())
