"""The rules of collections and their documents, except for ingestion, which waits on a model (`context.ingestion`)."""

import secrets
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.context import store
from promptuary.context.retrieval import CHROMA_TOPIC
from promptuary.context.store import Collection, StoredDocument
from promptuary.core import outbox
from promptuary.core.errors import Conflict, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.embedding.model import MiniLM
from promptuary.prompt.text import show_hidden

CHUNK_SIZE = 600
CHUNK_OVERLAP = 60


@dataclass(frozen=True)
class CollectionSummary:
    """A collection with the numbers of its documents and chunks."""

    collection: Collection
    documents: int
    chunks: int


@dataclass(frozen=True)
class Collections:
    """Collections and documents, on behalf of a caller."""

    unit: UnitOfWork

    def put_collection(
        self, name: str, description: str | None = None, chunk_size: int | None = None, chunk_overlap: int | None = None
    ) -> CollectionSummary:
        """Create a collection, or change its description.

        Args:
            name: its name.
            description: what it contains; None does not change it.
            chunk_size: the maximum number of characters of a chunk; None for the default, or the collection's own.
            chunk_overlap: the number of characters that neighbouring chunks share; None likewise.

        Raises:
            Conflict: when the collection exists with other chunk settings.
        """
        collection = store.collection(self.unit.session, self.unit.caller.project, name, lock=True)
        if collection is None:
            return self._create(name, description or "", chunk_size, chunk_overlap)
        size = chunk_size or collection.chunk_size
        overlap = collection.chunk_overlap if chunk_overlap is None else chunk_overlap
        if (size, overlap) != (collection.chunk_size, collection.chunk_overlap):
            raise Conflict(
                f"the collection '{name}' has chunks of {collection.chunk_size} characters"
                f" with an overlap of {collection.chunk_overlap}; create another collection"
            )
        if description is not None and description != collection.description:
            store.set_description(self.unit.session, collection.id, description)
            audit.record_change(self.unit, "collection.described", name)
        return self.collection(name)

    def collection(self, name: str) -> CollectionSummary:
        """Return a collection with the numbers of its documents and chunks.

        Raises:
            NotFound: when there is none.
        """
        collection = self._require(name)
        return CollectionSummary(collection, *store.counts(self.unit.session, collection.id))

    def collections(self, limit: int, cursor: str | None) -> Page[Collection]:
        """Return a page of the project's collections, ordered by name."""
        rows = store.collections(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda collection: collection.name)

    def documents(self, name: str, limit: int, cursor: str | None) -> Page[StoredDocument]:
        """Return a page of a collection's documents, ordered by key."""
        rows = store.documents(self.unit.session, self._require(name).id, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda document: document.key)

    def document(self, name: str, key: str) -> StoredDocument:
        """Return a document of a collection.

        Raises:
            NotFound: when there is no such collection or document.
        """
        document = store.document(self.unit.session, self._require(name).id, key)
        if document is None:
            raise NotFound(f"the collection '{name}' has no document '{show_hidden(key, newlines=False)}'")
        return document

    def delete_document(self, name: str, key: str) -> None:
        """Delete a document from a collection; the outbox removes its chunks from the index.

        Raises:
            NotFound: when there is no such collection or document.
        """
        collection = self._require(name, lock=True)
        document = self.document(name, key)
        chunk_ids = store.delete_document(self.unit.session, document.id)
        generation = store.count_change(self.unit.session, collection.id, -len(chunk_ids))
        message = {"collection": collection.id, "chunks": chunk_ids, "generation": generation}
        outbox.enqueue(self.unit.session, CHROMA_TOPIC, message, self.unit.clock())
        audit.record_change(self.unit, "document.deleted", name, {"document": key})

    def _create(self, name: str, description: str, chunk_size: int | None, chunk_overlap: int | None) -> CollectionSummary:
        new = Collection(
            id=0,
            name=name,
            uid=f"promptuary-{secrets.token_hex(8)}",
            description=description,
            embedding_model=self.unit.settings.embedding_model,
            dimensions=MiniLM.dimensions,
            chunk_size=chunk_size or CHUNK_SIZE,
            chunk_overlap=CHUNK_OVERLAP if chunk_overlap is None else chunk_overlap,
            created_at=self.unit.clock(),
        )
        collection = store.add_collection(self.unit.session, self.unit.caller.project, new)
        audit.record_change(self.unit, "collection.created", name, {"chunk_size": collection.chunk_size})
        return CollectionSummary(collection, 0, 0)

    def _require(self, name: str, *, lock: bool = False) -> Collection:
        collection = store.collection(self.unit.session, self.unit.caller.project, name, lock=lock)
        if collection is None:
            raise NotFound(f"there is no collection '{name}'")
        return collection
