"""The same index without Chroma: every vector in SQL compared with the query. Exact, slower as a collection grows.

It serves a process that does not own the embedded Chroma, and it is what Chroma's answers are tested against.
"""

from collections.abc import Mapping, Sequence

from promptuary.base.database import Database
from promptuary.context import store
from promptuary.context.index import Entry, Hit, Scalar


class ExactIndex:
    """Reads what SQL holds at the moment of the query; there is nothing to keep in step."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def upsert(self, collection: str, entries: Sequence[Entry]) -> None:
        """Do nothing: the vectors are in SQL already."""

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Do nothing: the vectors have left SQL already."""

    def drop(self, collection: str) -> None:
        """Do nothing: the chunks leave SQL with their collection."""

    def close(self) -> None:
        """Do nothing: the database is its owner's."""

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[Hit]:
        """Compare with every vector, batch by batch, and keep the k nearest."""
        import numpy as np

        wanted = np.asarray(vector, dtype=np.float32)
        best: list[Hit] = []
        with self._database.read() as session:
            for batch in store.walk(session, store.number_of(session, collection)):
                chosen = [placed for placed in batch if all(placed.metadata.get(name) == is_ for name, is_ in where.items())]
                if not chosen:
                    continue
                vectors = np.frombuffer(b"".join(placed.chunk.vector for placed in chosen), dtype="<f4")
                scores = vectors.reshape(len(chosen), -1) @ wanted
                best += [Hit(placed.chunk.id, float(score)) for placed, score in zip(chosen, scores, strict=True)]
                best = sorted(best, key=lambda hit: -hit.score)[:k]
        return best

    def count(self, collection: str) -> int:
        """Count the chunks."""
        with self._database.read() as session:
            return store.counts(session, store.number_of(session, collection))[1]
