"""The interface of a vector index, and the values that go in and come out.

An index contains ids, vectors and plain metadata, never a text. It can be rebuilt from the vectors in SQL.
Two implementations pass the same tests: `chroma_index.ChromaIndex` and `exact_index.ExactIndex`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Scalar = str | int | float | bool


@dataclass(frozen=True)
class IndexEntry:
    """One vector in an index: its id, the vector (unit length), and the metadata that a query can filter by."""

    id: str
    vector: Sequence[float]
    metadata: Mapping[str, Scalar]


@dataclass(frozen=True)
class IndexHit:
    """One result of a query: the id of the entry, and its cosine similarity to the query, from -1 to 1."""

    id: str
    score: float


class VectorIndex(Protocol):
    """A set of named collections of vectors."""

    reads_sql: bool
    """True for an index that reads the vectors from SQL at each query, and so needs no updates."""

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Add the entries; replace those with the same ids."""
        ...

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete entries by id; an unknown id is no error."""
        ...

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Return the k nearest entries whose metadata has all values of `where`, the nearest first."""
        ...

    def count(self, collection: str) -> int:
        """Return the number of entries."""
        ...

    def drop(self, collection: str) -> None:
        """Delete a collection with all its entries."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...
