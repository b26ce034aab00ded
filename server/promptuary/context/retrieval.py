"""Retrieval: a text in, the passages that are nearest out. Holds the process's embedder and index, each made at its first use.

A hit of the index is a hint only: every one is joined back to SQL, and what SQL no longer has is left out.
"""

import threading
from collections.abc import Mapping
from typing import Any

from promptuary.context import store
from promptuary.context.store import Collection, DocumentChunk
from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import NotFound
from promptuary.core.settings import Settings
from promptuary.embedding import chroma_index
from promptuary.embedding.chroma_index import ChromaOwnership, IndexEntry, Scalar, VectorIndex
from promptuary.embedding.exact_index import ExactIndex
from promptuary.embedding.model import Embedder, build_embedder
from promptuary.prompt.templates.prepared import Passage

CHROMA_TOPIC = "chroma"
_RELAY_BATCH = 50


class PassageRetrieval:
    """One a process; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        *,
        embedder: Embedder | None = None,
        index: VectorIndex | None = None,
    ) -> None:
        """Keep the parts; the embedder and the index that are not given are made at their first use."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self._embedder = embedder
        self._index = index
        self._lock = threading.Lock()
        self._ownership = ChromaOwnership(settings.data_dir / "chroma")

    @property
    def embedder(self) -> Embedder:
        """The embedder that the settings name."""
        with self._lock:
            if self._embedder is None:
                self._embedder = build_embedder(self._settings)
            return self._embedder

    @property
    def index(self) -> VectorIndex:
        """The index: a Chroma server where one is set or serves this folder, embedded Chroma where this process owns it."""
        with self._lock:
            if self._index is None:
                self._index = self._open_index()
            return self._index

    def _open_index(self) -> VectorIndex:
        if self._settings.chroma_url:
            return chroma_index.connect_chroma(self._settings.chroma_url)
        if self._ownership.take():
            return chroma_index.open_embedded_chroma(self._ownership.folder)
        address = self._ownership.address()
        return chroma_index.connect_chroma(address) if address else ExactIndex(self._database)

    def query(
        self,
        project: int,
        collection: str,
        text: str,
        k: int,
        min_score: float | None = None,
        where: Mapping[str, Scalar] | None = None,
    ) -> list[Passage]:
        """Find the k passages nearest to a text, the nearest first.

        Args:
            project: whose collection it is.
            collection: its name.
            text: what to look for.
            k: the most passages.
            min_score: the least cosine, -1 to 1.
            where: values that a document's metadata must have.

        Raises:
            NotFound: when the project has no such collection.
            Unavailable: when the embedder or Chroma cannot answer.
        """
        with self._database.read() as session:
            found = store.collection(session, project, collection)
            behind = found is not None and outbox.count_pending(session, CHROMA_TOPIC) > 0
        if found is None:
            raise NotFound(f"there is no collection '{collection}'")
        if behind:
            self.catch_up()
        vector = self.embedder.embed([text])[0].tolist()
        hits = self.index.query(found.uid, vector, k, where or {})
        with self._database.read() as session:
            placed = store.document_chunks(session, found.id, [hit.id for hit in hits])
        return [
            _passage(found, placed[hit.id], hit.score)
            for hit in hits
            if hit.id in placed and (min_score is None or hit.score >= min_score)
        ]

    def catch_up(self) -> None:
        """Deliver what the index has not heard of yet."""
        while outbox.relay(self._database, self._clock, CHROMA_TOPIC, self.deliver, _RELAY_BATCH).delivered == _RELAY_BATCH:
            pass

    def deliver(self, payload: dict[str, Any]) -> None:
        """Bring some chunks of the index in step with SQL; may be called again with the same ids.

        Args:
            payload: `{"collection": number, "chunks": [ids]}`.

        Raises:
            Declined: in a process that reads SQL itself because another has the index: that one is to hear of it.
        """
        if isinstance(self.index, ExactIndex):
            raise outbox.DeliveryDeferred
        with self._database.read() as session:
            found = store.collection_by_id(session, payload["collection"])
            if found is None:
                return
            placed = store.document_chunks(session, found.id, payload["chunks"])
        self.index.delete(found.uid, [chunk for chunk in payload["chunks"] if chunk not in placed])
        if placed:
            self.index.upsert(found.uid, [_entry(one) for one in placed.values()])

    def reindex(self, project: int, collection: str) -> int:
        """Make a collection's index anew from SQL; gives the number of chunks in it.

        Raises:
            NotFound: when the project has no such collection.
        """
        with self._database.read() as session:
            found = store.collection(session, project, collection)
            if found is None:
                raise NotFound(f"there is no collection '{collection}'")
            self.index.drop(found.uid)
            for batch in store.walk_chunks(session, found.id):
                self.index.upsert(found.uid, [_entry(placed) for placed in batch])
        return self.index.count(found.uid)

    def close(self) -> None:
        """Close the index, and give the ownership of the embedded Chroma back."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None
        self._ownership.release()


def _entry(placed: DocumentChunk) -> IndexEntry:
    import numpy as np

    scalars = {name: value for name, value in placed.metadata.items() if isinstance(value, str | int | float | bool)}
    return IndexEntry(placed.chunk.id, np.frombuffer(placed.chunk.vector, dtype="<f4").tolist(), scalars)


def _passage(collection: Collection, placed: DocumentChunk, score: float) -> Passage:
    return Passage(
        text=placed.chunk.text,
        score=round(score, 6),
        collection=collection.name,
        document=placed.document,
        chunk=placed.chunk.ordinal,
        digest=placed.chunk.digest,
        metadata=placed.metadata,
    )
