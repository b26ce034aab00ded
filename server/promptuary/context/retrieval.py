"""Retrieval of the passages nearest to a text, and the synchronization of the index with the chunks in SQL.

A hit of the index is only a hint: each one is looked up in SQL, and a chunk that SQL does not have is left out. An index that
has another number of chunks than SQL, or other changes, has lost something: it is rebuilt, and SQL is searched meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.context import store
from promptuary.context.metadata_name import is_filterable
from promptuary.context.store import Collection, DocumentChunk
from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import NotFound
from promptuary.embedding.backend import EmbeddingBackend
from promptuary.embedding.index import IndexEntry, IndexState, Scalar, SearchedIn, VectorIndex
from promptuary.prompt.templates.prepared import Passage

CHROMA_TOPIC = "chroma"
MAX_HITS = 10_000
_RELAY_BATCH = 50


@dataclass(frozen=True)
class PassageQuery:
    """What a retrieval looks for.

    Attributes:
        text: the query.
        k: the maximum number of passages.
        min_score: the minimum cosine similarity, -1 to 1.
        where: values that the metadata of a document must have.
    """

    text: str
    k: int
    min_score: float | None = None
    where: Mapping[str, Scalar] | None = None


@dataclass(frozen=True)
class PassageMatches:
    """The passages nearest to a text, the nearest first, and where they were searched."""

    passages: Sequence[Passage]
    searched: SearchedIn


class PassageRetrieval:
    """One per process; safe to use from several threads."""

    def __init__(self, database: Database, clock: Clock, backend: EmbeddingBackend) -> None:
        """Store the dependencies; open nothing."""
        self._database = database
        self._clock = clock
        self.backend = backend

    def query(self, project: int, collection: str, query: PassageQuery) -> Sequence[Passage]:
        """Return the passages of a collection nearest to a text, the nearest first.

        Raises:
            NotFound, Unavailable: as `search` does.
        """
        return self.search(project, collection, query).passages

    def search(self, project: int, collection: str, query: PassageQuery) -> PassageMatches:
        """Return the passages of a collection nearest to a text, and where they were searched.

        Raises:
            NotFound: when the project has no such collection.
            Unavailable: when the embedder or Chroma does not work.
        """
        with self._database.read() as session:
            searched = _require_collection(store.collection(session, project, collection), collection)
            is_behind = outbox.count_pending(session, CHROMA_TOPIC) > 0
        if is_behind:
            self.catch_up()
        vector = self.backend.embedder.embed([query.text])[0].tolist()
        index = self.backend.index
        if not index.reads_sql and not self._is_complete(index, searched):
            index = self.backend.exact_index
        source = SearchedIn.SQL if index.reads_sql else SearchedIn.INDEX
        return PassageMatches(self._nearest_passages(index, searched, vector, query), source)

    def catch_up(self) -> None:
        """Deliver the messages that wait for the index."""
        while outbox.relay(self._database, self._clock, CHROMA_TOPIC, self.deliver, _RELAY_BATCH).delivered == _RELAY_BATCH:
            pass

    def deliver(self, payload: dict[str, Any]) -> None:
        """Synchronize some chunks of the index with SQL; idempotent.

        Args:
            payload: `{"collection": number, "chunks": [ids]}`.

        Raises:
            DeliveryDeferred: in a process that reads SQL itself; a process with the index is to deliver the message.
        """
        if self.backend.index.reads_sql:
            raise outbox.DeliveryDeferred
        with self._database.read() as session:
            collection = store.collection_by_id(session, payload["collection"])
        if collection is not None:
            self._synchronize(collection, payload["chunks"])
            self.backend.index.set_generation(collection.uid, payload.get("generation", 0))

    def reindex(self, project: int, collection: str) -> int:
        """Rebuild a collection's index from SQL; return the number of chunks in it.

        The collection is emptied before SQL is read: what is added from then on is sent by its own message. What is deleted
        while the rebuild runs is removed again by `_synchronize`.

        Raises:
            NotFound: when the project has no such collection.
        """
        with self._database.read() as session:
            rebuilt = _require_collection(store.collection(session, project, collection), collection)
        return self._rebuild(rebuilt)

    def _rebuild(self, rebuilt: Collection) -> int:
        index = self.backend.index
        index.drop(rebuilt.uid)
        with self._database.read() as session:
            generation = store.collection_state(session, rebuilt.id).generation
            for batch in store.walk_chunks(session, rebuilt.id):
                index.upsert(rebuilt.uid, [_entry(stored) for stored in batch])
                self._synchronize(rebuilt, [stored.chunk.id for stored in batch], {stored.chunk.id: stored for stored in batch})
        index.set_generation(rebuilt.uid, generation)
        return index.count(rebuilt.uid)

    def _is_complete(self, index: VectorIndex, collection: Collection) -> bool:
        """Return whether the index has what SQL has of a collection; start to rebuild it where it has lost something.

        What is on its way to the index is not lost, and neither is what changes while both are read.
        """
        while True:
            with self._database.read() as session:
                expected = store.collection_state(session, collection.id)
                is_behind = outbox.count_pending(session, CHROMA_TOPIC) > 0
            state = index.state(collection.uid)
            if state == IndexState(expected.chunks, expected.generation):
                return True
            with self._database.read() as session:
                is_unchanged = store.collection_state(session, collection.id) == expected
            if is_behind:
                return False
            if is_unchanged:
                self.backend.repair.start(collection.uid, lambda: self._rebuild(collection))
                return False

    def close(self) -> None:
        """Close the embedding backend."""
        self.backend.close()

    def _nearest_passages(
        self, index: VectorIndex, collection: Collection, vector: Sequence[float], query: PassageQuery
    ) -> list[Passage]:
        """Ask the index for more hits until k of them are in SQL, or it has no more."""
        limit = query.k
        while True:
            hits = index.query(collection.uid, vector, limit, query.where or {})
            with self._database.read() as session:
                chunks = store.document_chunks(session, collection.id, [hit.id for hit in hits])
            stored_hits = [hit for hit in hits if hit.id in chunks]
            if len(stored_hits) >= query.k or len(hits) < limit or limit >= MAX_HITS:
                break
            limit = min(limit * 4, MAX_HITS)
        return [
            _passage(collection, chunks[hit.id], hit.score)
            for hit in stored_hits[: query.k]
            if query.min_score is None or hit.score >= query.min_score
        ]

    def _synchronize(self, collection: Collection, ids: Sequence[str], sent: Mapping[str, DocumentChunk] | None = None) -> None:
        """Send chunks to the index as SQL has them, until SQL has not changed while they were sent.

        Another process may change a document, and update the index, between this process's read and its own update; the index
        would then keep the older state.

        Args:
            collection: whose chunks.
            ids: the chunks; those that SQL does not have are deleted from the index.
            sent: the state that the index has already.
        """
        while True:
            with self._database.read() as session:
                chunks = store.document_chunks(session, collection.id, ids)
            if chunks == sent:
                return
            index = self.backend.index
            index.delete(collection.uid, [id_ for id_ in ids if id_ not in chunks])
            if chunks:
                index.upsert(collection.uid, [_entry(stored) for stored in chunks.values()])
            sent = chunks


def _require_collection(collection: Collection | None, name: str) -> Collection:
    if collection is None:
        raise NotFound(f"there is no collection '{name}'")
    return collection


def _entry(stored: DocumentChunk) -> IndexEntry:
    import numpy as np

    scalars = {
        name: value
        for name, value in stored.metadata.items()
        if is_filterable(name) and isinstance(value, str | int | float | bool)
    }
    return IndexEntry(stored.chunk.id, np.frombuffer(stored.chunk.vector, dtype="<f4").tolist(), scalars)


def _passage(collection: Collection, stored: DocumentChunk, score: float) -> Passage:
    return Passage(
        text=stored.chunk.text,
        score=round(score, 6),
        collection=collection.name,
        document=stored.document,
        chunk=stored.chunk.ordinal,
        digest=stored.chunk.digest,
        metadata=stored.metadata,
    )
