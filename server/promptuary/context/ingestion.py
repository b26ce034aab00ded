"""Documents coming in: cut and embedded with no transaction open, then stored with their vectors in one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.access import audit
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
    """A document as it comes in, under a key of its owner's choice."""

    key: str
    text: str
    title: str
    metadata: Mapping[str, Any]

    def digest(self) -> str:
        """Give the digest of all that it says."""
        return json_digest({"text": self.text, "title": self.title, "metadata": dict(self.metadata)})


@dataclass(frozen=True)
class IngestionResult:
    """What came of it: documents new or changed, documents that were the same, and chunks stored."""

    added: int
    unchanged: int
    chunks: int


@dataclass(frozen=True)
class DocumentIngestion:
    """Takes documents in; opens its own short units of work, because embedding takes long."""

    database: Database
    clock: Clock
    settings: Settings
    retrieval: PassageRetrieval

    def add(self, caller: Caller, name: str, documents: Sequence[NewDocument]) -> IngestionResult:
        """Add documents, or put them in the place of those with the same keys; what has not changed is left alone.

        Raises:
            InvalidRequest: for a key that is given twice, or a document with no text.
            NotFound: when there is no such collection.
            Unavailable: when the embedder cannot work.
        """
        _check(documents)
        with self.database.read() as session:
            collection = store.collection(session, caller.project, name)
            if collection is None:
                raise NotFound(f"there is no collection '{name}'; make it with PUT /v1/collections/{name}")
            known = store.digests(session, collection.id, [document.key for document in documents])
        fresh = [document for document in documents if known.get(document.key) != document.digest()]
        chunks = self._chunks(collection, fresh)
        if fresh:
            with self.database.write() as session:
                self._store(UnitOfWork(session, caller, self.clock, self.settings), collection, fresh, chunks)
        return IngestionResult(len(fresh), len(documents) - len(fresh), sum(map(len, chunks)))

    def _chunks(self, collection: Collection, documents: Sequence[NewDocument]) -> list[list[Chunk]]:
        pieces = [split_text(document.text, collection.chunk_size, collection.chunk_overlap) for document in documents]
        texts = [text for piece in pieces for text in piece]
        vectors = iter(self.retrieval.embedder.embed(texts).astype("<f4")) if texts else iter(())
        return [
            [
                Chunk(_chunk_id(collection, document.key, ordinal, text), ordinal, text, _sha256(text), next(vectors).tobytes())
                for ordinal, text in enumerate(piece)
            ]
            for document, piece in zip(documents, pieces, strict=True)
        ]

    def _store(
        self, unit: UnitOfWork, collection: Collection, documents: Sequence[NewDocument], chunks: Sequence[Sequence[Chunk]]
    ) -> None:
        touched: set[str] = set()
        for document, pieces in zip(documents, chunks, strict=True):
            old = store.document(unit.session, collection.id, document.key)
            if old is not None:
                touched.update(store.remove_document(unit.session, old.id))
            new = StoredDocument(0, document.key, document.title, document.digest(), document.metadata, unit.clock())
            store.add_document(unit.session, collection.id, new, pieces)
            touched.update(chunk.id for chunk in pieces)
        outbox.enqueue(unit.session, CHROMA_TOPIC, {"collection": collection.id, "chunks": sorted(touched)}, unit.clock())
        audit.record_change(unit, "documents.added", collection.name, {"documents": [document.key for document in documents]})


def _check(documents: Sequence[NewDocument]) -> None:
    seen: set[str] = set()
    field_errors = []
    for number, document in enumerate(documents):
        if document.key in seen:
            field_errors.append(FieldError(f"documents.{number}.id", f"'{document.key}' is given twice"))
        if not document.text.strip():
            field_errors.append(FieldError(f"documents.{number}.text", "is blank"))
        seen.add(document.key)
    if field_errors:
        raise InvalidRequest("the documents cannot be taken", field_errors)


def _chunk_id(collection: Collection, key: str, ordinal: int, text: str) -> str:
    """Name a chunk by what it is, so that taking the same document in again names the same chunks."""
    return hashlib.sha256(f"{collection.uid}\n{key}\n{ordinal}\n{text}".encode()).hexdigest()[:32]


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
