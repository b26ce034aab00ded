"""The interface of a vector index, and the values that go in and come out.

An index contains ids, vectors and plain metadata, never a text. It can be rebuilt from the vectors in SQL.
Two implementations pass the same tests: `chroma_index.ChromaIndex` and `exact_index.ExactIndex`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from promptuary.prompt.errors import Invalid

Scalar = str | int | float | bool


class SearchedIn(StrEnum):
    """Where the vectors of a search were compared."""

    INDEX = "index"
    SQL = "sql"


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


@dataclass(frozen=True)
class IndexState:
    """What an index has of a collection: the number of entries, and the generation of the changes that it received last."""

    count: int
    generation: int


class IndexRefused(Invalid):
    """The index answers, and does not accept what it was sent."""

    code = "index_refused"


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

    def state(self, collection: str) -> IndexState:
        """Return what the index has of a collection."""
        ...

    def set_generation(self, collection: str, generation: int) -> None:
        """Store the generation of the changes that a collection received last, if it is higher than the stored one."""
        ...

    def drop(self, collection: str) -> None:
        """Delete a collection with all its entries, and its generation."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...
