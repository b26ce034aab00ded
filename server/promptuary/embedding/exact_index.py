"""The same index without Chroma: every vector in SQL compared with the query. Exact, slower as a collection grows.

It serves a process that does not own the embedded Chroma, and it is what Chroma's answers are tested against.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.context import store
from promptuary.core.database import Database, Session
from promptuary.embedding.chroma_index import IndexEntry, IndexHit, Scalar


class ExactIndex:
    """Reads what SQL holds at the moment of the query; there is nothing to keep in step."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Do nothing: the vectors are in SQL already."""

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Do nothing: the vectors have left SQL already."""

    def drop(self, collection: str) -> None:
        """Do nothing: the chunks leave SQL with their collection."""

    def close(self) -> None:
        """Do nothing: the database is its owner's."""

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Compare with every vector, batch by batch, and keep the k nearest."""
        import numpy as np

        wanted = np.asarray(vector, dtype=np.float32)
        best: list[IndexHit] = []
        with self._database.read() as session:
            for batch in _walk(session, collection):
                chosen = [one for one in batch if all(one.metadata.get(name) == is_ for name, is_ in where.items())]
                if not chosen:
                    continue
                vectors = np.frombuffer(b"".join(one.vector for one in chosen), dtype="<f4")
                scores = vectors.reshape(len(chosen), -1) @ wanted
                best += [IndexHit(one.id, float(score)) for one, score in zip(chosen, scores, strict=True)]
                best = sorted(best, key=lambda hit: -hit.score)[:k]
        return best

    def count(self, collection: str) -> int:
        """Count the chunks, or the prompts that have a vector."""
        with self._database.read() as session:
            if number := store.collection_id_of(session, collection):
                return store.counts(session, number)[1]
            return sum(map(len, store.walk_prompt_vectors(session, collection)))


@dataclass(frozen=True)
class _Stored:
    id: str
    vector: bytes
    metadata: Mapping[str, Any]


def _walk(session: Session, collection: str) -> Iterator[list[_Stored]]:
    """Go through the vectors that a name of the index stands for: a collection's chunks, or a project's prompts."""
    if number := store.collection_id_of(session, collection):
        for chunks in store.walk_chunks(session, number):
            yield [_Stored(placed.chunk.id, placed.chunk.vector, placed.metadata) for placed in chunks]
        return
    for prompts in store.walk_prompt_vectors(session, collection):
        yield [_Stored(str(one.prompt), one.vector, {}) for one in prompts]
