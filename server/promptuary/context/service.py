"""The rules of collections and of the documents in them, except for what waits on a model (`promptuary.context.ingestion`)."""

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

CHUNK_SIZE = 600
CHUNK_OVERLAP = 60


@dataclass(frozen=True)
class CollectionSummary:
    """A collection and how much it holds."""

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
        """Make a collection, or change its description.

        Args:
            name: its name.
            description: what it holds; None leaves it.
            chunk_size: the most characters of a chunk; None for the default, or what it has.
            chunk_overlap: the characters that neighbours share; None likewise.

        Raises:
            Conflict: when it exists and would have to be cut anew.
        """
        found = store.collection(self.unit.session, self.unit.caller.project, name)
        if found is None:
            new = Collection(
                id=0,
                name=name,
                uid=f"promptuary-{secrets.token_hex(8)}",
                description=description or "",
                embedding_model=self.unit.settings.embedding_model,
                dimensions=MiniLM.dimensions,
                chunk_size=chunk_size or CHUNK_SIZE,
                chunk_overlap=CHUNK_OVERLAP if chunk_overlap is None else chunk_overlap,
                created_at=self.unit.clock(),
            )
            made = store.add_collection(self.unit.session, self.unit.caller.project, new)
            audit.record_change(self.unit, "collection.created", name, {"chunk_size": made.chunk_size})
            return CollectionSummary(made, 0, 0)
        wanted = (chunk_size or found.chunk_size, found.chunk_overlap if chunk_overlap is None else chunk_overlap)
        if wanted != (found.chunk_size, found.chunk_overlap):
            raise Conflict(f"the collection '{name}' is cut into chunks of {found.chunk_size} already; make another one")
        if description is not None and description != found.description:
            store.describe(self.unit.session, found.id, description)
            audit.record_change(self.unit, "collection.described", name)
        return self.collection(name)

    def collection(self, name: str) -> CollectionSummary:
        """Give a collection and how much it holds.

        Raises:
            NotFound: when there is none.
        """
        found = self._collection(name)
        return CollectionSummary(found, *store.counts(self.unit.session, found.id))

    def collections(self, limit: int, cursor: str | None) -> Page[Collection]:
        """List the project's collections by name."""
        rows = store.collections(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda collection: collection.name)

    def documents(self, name: str, limit: int, cursor: str | None) -> Page[StoredDocument]:
        """List a collection's documents by key."""
        rows = store.documents(self.unit.session, self._collection(name).id, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda document: document.key)

    def delete_document(self, name: str, key: str) -> None:
        """Take a document out of a collection; its chunks leave the index by way of the outbox.

        Raises:
            NotFound: when there is no such collection or document.
        """
        collection = self._collection(name)
        document = store.document(self.unit.session, collection.id, key)
        if document is None:
            raise NotFound(f"the collection '{name}' has no document '{key}'")
        gone = store.remove_document(self.unit.session, document.id)
        outbox.enqueue(self.unit.session, CHROMA_TOPIC, {"collection": collection.id, "chunks": gone}, self.unit.clock())
        audit.record_change(self.unit, "document.deleted", name, {"document": key})

    def _collection(self, name: str) -> Collection:
        found = store.collection(self.unit.session, self.unit.caller.project, name)
        if found is None:
            raise NotFound(f"there is no collection '{name}'")
        return found
