"""Exact vector search in SQL: every stored vector is compared with the query; slower as a collection grows.

It serves a process that does not own the embedded Chroma, and it is the reference for the tests of Chroma's results. The
folders above own the tables with the vectors; each gives the index a `VectorSource`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from promptuary.core.database import Database, Session
from promptuary.embedding.index import IndexEntry, IndexHit, IndexState, Scalar


@dataclass(frozen=True)
class StoredVector:
    """A vector as SQL stores it: little-endian float32, unit length."""

    id: str
    vector: bytes
    metadata: Mapping[str, Any]


class VectorSource(Protocol):
    """Reads the vectors of some of the index's collections from SQL."""

    def walk(self, session: Session, collection: str) -> Iterator[list[StoredVector]]:
        """Yield the vectors of a collection in batches; nothing for a collection of another source."""
        ...

    def count(self, session: Session, collection: str) -> int:
        """Return the number of vectors of a collection; 0 for a collection of another source."""
        ...


class ExactIndex:
    """An index that reads its sources at each query; there is nothing to keep in step."""

    reads_sql = True

    def __init__(self, database: Database, sources: Sequence[VectorSource]) -> None:
        """Store the database and the sources of vectors."""
        self._database = database
        self._sources = sources

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Change nothing: the vectors are in SQL."""

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Change nothing: the vectors have left SQL."""

    def state(self, collection: str) -> IndexState:
        """Return the number of vectors; there is nothing to keep in step, so no generation."""
        return IndexState(self.count(collection), 0)

    def set_generation(self, collection: str, generation: int) -> None:
        """Change nothing: the vectors are in SQL."""

    def drop(self, collection: str) -> None:
        """Change nothing: the vectors leave SQL with their owner."""

    def close(self) -> None:
        """Close nothing: the database is closed by its owner."""

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Compare the query with every vector, batch by batch, and return the k nearest."""
        import numpy as np

        query_vector = np.asarray(vector, dtype=np.float32)
        best: list[IndexHit] = []
        with self._database.read() as session:
            for batch in self._walk(session, collection):
                matching = [
                    stored for stored in batch if all(stored.metadata.get(name) == value for name, value in where.items())
                ]
                if not matching:
                    continue
                vectors = np.frombuffer(b"".join(stored.vector for stored in matching), dtype="<f4")
                scores = vectors.reshape(len(matching), -1) @ query_vector
                best += [IndexHit(stored.id, float(score)) for stored, score in zip(matching, scores, strict=True)]
                best = sorted(best, key=lambda hit: -hit.score)[:k]
        return best

    def count(self, collection: str) -> int:
        """Return the number of vectors."""
        with self._database.read() as session:
            return sum(source.count(session, collection) for source in self._sources)

    def _walk(self, session: Session, collection: str) -> Iterator[list[StoredVector]]:
        for source in self._sources:
            yield from source.walk(session, collection)
