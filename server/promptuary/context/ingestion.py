"""The ingestion of documents: split and embedded without an open transaction, then stored with their vectors in one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.access import audit
from promptuary.access.credentials import require_active_credential
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.context import store
from promptuary.context.chunking import split_text
from promptuary.context.retrieval import CHROMA_TOPIC, PassageRetrieval
from promptuary.context.store import Chunk, Collection, StoredDocument
from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.core.settings import Settings
from promptuary.prompt.digest import json_digest


@dataclass(frozen=True)
class NewDocument:
    """A document to ingest, under a key of the client's choice."""

    key: str
    text: str
    title: str
    metadata: Mapping[str, Any]

    def digest(self) -> str:
        """Return the digest of the text, the title and the metadata."""
        return json_digest({"text": self.text, "title": self.title, "metadata": dict(self.metadata)})


@dataclass(frozen=True)
class IngestionResult:
    """The numbers of documents that are new or changed, of unchanged documents, and of stored chunks."""

    added: int
    unchanged: int
    chunks: int


@dataclass(frozen=True)
class EmbeddedDocument:
    """A document with its chunks and its digest, ready to be stored."""

    document: NewDocument
    digest: str
    chunks: Sequence[Chunk]


@dataclass(frozen=True)
class DocumentIngestion:
    """The service that adds documents; it opens its own short units of work, because embedding takes long."""

    database: Database
    clock: Clock
    settings: Settings
    retrieval: PassageRetrieval

    def add(self, caller: Caller, name: str, documents: Sequence[NewDocument]) -> IngestionResult:
        """Add documents, each in place of the one with the same key; an unchanged document is left alone.

        Raises:
            InvalidRequest: for two documents with one key, or a document without text.
            NotFound: when there is no such collection.
            Unavailable: when the embedder does not work.
            NotAuthenticated: when the caller's key or session has ended meanwhile.
        """
        _validate(documents)
        digests = {document.key: document.digest() for document in documents}
        with self.database.read() as session:
            collection = store.collection(session, caller.project, name)
            if collection is None:
                raise NotFound(f"there is no collection '{name}'; create it with PUT /v1/collections/{name}")
            stored_digests = store.document_digests(session, collection.id, list(digests))
        changed = [document for document in documents if stored_digests.get(document.key) != digests[document.key]]
        embedded = [
            EmbeddedDocument(document, digests[document.key], chunks)
            for document, chunks in zip(changed, self._embed(collection, changed), strict=True)
        ]
        if embedded:
            with self.database.write() as session:
                require_active_credential(session, caller, self.clock())  # embedding may have taken long
                self._store(UnitOfWork(session, caller, self.clock, self.settings), name, embedded)
        return IngestionResult(len(changed), len(documents) - len(changed), sum(len(item.chunks) for item in embedded))

    def _embed(self, collection: Collection, documents: Sequence[NewDocument]) -> list[list[Chunk]]:
        """Split the documents and embed all their chunks in one call."""
        texts_by_document = [
            split_text(document.text, collection.chunk_size, collection.chunk_overlap) for document in documents
        ]
        texts = [text for chunk_texts in texts_by_document for text in chunk_texts]
        vectors = iter(self.retrieval.backend.embedder.embed(texts).astype("<f4")) if texts else iter(())
        return [
            [
                Chunk(_chunk_id(collection, document.key, ordinal, text), ordinal, text, _sha256(text), next(vectors).tobytes())
                for ordinal, text in enumerate(chunk_texts)
            ]
            for document, chunk_texts in zip(documents, texts_by_document, strict=True)
        ]

    def _store(self, unit: UnitOfWork, name: str, documents: Sequence[EmbeddedDocument]) -> None:
        """Replace the documents in one transaction, and enqueue the changed chunks for the index.

        The collection is locked first: two requests that replace the same document do so one after the other.
        """
        collection = store.collection(unit.session, unit.caller.project, name, lock=True)
        assert collection is not None  # a collection is never deleted
        changed_chunks: set[str] = set()
        added_chunks = 0
        for item in documents:
            document = item.document
            old = store.document(unit.session, collection.id, document.key)
            if old is not None:
                old_chunks = store.delete_document(unit.session, old.id)
                changed_chunks.update(old_chunks)
                added_chunks -= len(old_chunks)
            new = StoredDocument(0, document.key, document.title, item.digest, document.metadata, unit.clock())
            store.add_document(unit.session, collection.id, new, item.chunks)
            changed_chunks.update(chunk.id for chunk in item.chunks)
            added_chunks += len(item.chunks)
        generation = store.count_change(unit.session, collection.id, added_chunks)
        message = {"collection": collection.id, "chunks": sorted(changed_chunks), "generation": generation}
        outbox.enqueue(unit.session, CHROMA_TOPIC, message, unit.clock())
        audit.record_change(unit, "documents.added", name, {"documents": [item.document.key for item in documents]})


def _validate(documents: Sequence[NewDocument]) -> None:
    keys: set[str] = set()
    field_errors = []
    for number, document in enumerate(documents):
        if document.key in keys:
            field_errors.append(FieldError(f"documents.{number}.id", f"'{document.key}' occurs twice"))
        if not document.text.strip():
            field_errors.append(FieldError(f"documents.{number}.text", "is blank"))
        keys.add(document.key)
    if field_errors:
        raise InvalidRequest("the documents cannot be added", field_errors)


def _chunk_id(collection: Collection, key: str, ordinal: int, text: str) -> str:
    """Return an id computed from the chunk itself, so that the same document has the same chunk ids again."""
    return hashlib.sha256(f"{collection.uid}\n{key}\n{ordinal}\n{text}".encode()).hexdigest()[:32]


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
