"""Queries of collections, documents and chunks: a session in, domain values out.

Every query is scoped by the project, or by a collection of it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, func, select, update

from promptuary.context.tables import ChunkRow, CollectionRow, DocumentRow
from promptuary.prompt.canonical_json import canonical_json


@dataclass(frozen=True)
class Collection:
    """A collection, and how its documents are split and embedded; `uid` is its name in the index."""

    id: int
    name: str
    uid: str
    description: str
    embedding_model: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    created_at: datetime


@dataclass(frozen=True)
class StoredDocument:
    """A document without its chunks."""

    id: int
    key: str
    title: str
    digest: str
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Chunk:
    """A piece of a document and its vector: little-endian float32, unit length."""

    id: str
    ordinal: int
    text: str
    digest: str
    vector: bytes


@dataclass(frozen=True)
class DocumentChunk:
    """A chunk with the key and the metadata of its document."""

    chunk: Chunk
    document: str
    metadata: Mapping[str, Any]


def collection(session: Session, project: int, name: str, *, lock: bool = False) -> Collection | None:
    """Return a collection by name; with `lock`, no other writer changes its documents until this transaction ends."""
    query = select(CollectionRow).where(CollectionRow.project_id == project, CollectionRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return _collection(row) if row else None


def collection_by_id(session: Session, collection: int) -> Collection | None:
    """Return a collection by id, as the outbox messages name it."""
    row = session.get(CollectionRow, collection)
    return _collection(row) if row else None


def collection_id_of(session: Session, uid: str) -> int | None:
    """Return the id of the collection with this name in the index; None for an unknown name."""
    return session.exec(select(CollectionRow.id).where(CollectionRow.uid == uid)).one_or_none()


def collections(session: Session, project: int, after: str | None, limit: int) -> list[Collection]:
    """Return a page of a project's collections, ordered by name."""
    query = select(CollectionRow).where(CollectionRow.project_id == project)
    if after is not None:
        query = query.where(CollectionRow.name > after)
    return [_collection(row) for row in session.exec(query.order_by(CollectionRow.name).limit(limit))]


def add_collection(session: Session, project: int, new: Collection) -> Collection:
    """Add a collection; the database assigns its id."""
    values = {name: value for name, value in vars(new).items() if name != "id"}
    row = CollectionRow(project_id=project, **values)
    session.add(row)
    session.flush()
    return _collection(row)


def set_description(session: Session, collection: int, description: str) -> None:
    """Change a collection's description."""
    row = session.get_one(CollectionRow, collection)
    row.description = description
    session.add(row)


@dataclass(frozen=True)
class CollectionState:
    """What an index must have of a collection: how often its documents have changed, and the number of their chunks."""

    generation: int
    chunks: int


def collection_state(session: Session, collection: int) -> CollectionState:
    """Return a collection's state."""
    query = select(CollectionRow.generation, CollectionRow.chunks).where(CollectionRow.id == collection)
    return CollectionState(*session.exec(query).one())


def count_change(session: Session, collection: int, added_chunks: int) -> int:
    """Count a change of a collection's documents, and its chunks; return the new generation. The caller has locked it.

    Args:
        session: the transaction of the change.
        collection: which one.
        added_chunks: how many chunks more there are; negative for fewer.
    """
    row = CollectionRow
    values = {"generation": row.generation + 1, "chunks": row.chunks + added_chunks}
    changed = update(row).where(col(row.id) == collection).values(**values).returning(col(row.generation))
    return int(session.execute(changed).scalar_one())


def counts(session: Session, collection: int) -> tuple[int, int]:
    """Return the numbers of a collection's documents and chunks."""
    documents = select(func.count()).select_from(DocumentRow).where(DocumentRow.collection_id == collection)
    chunks = select(func.count()).select_from(ChunkRow).where(ChunkRow.collection_id == collection)
    return session.exec(documents).one(), session.exec(chunks).one()


def content_digest(session: Session, project: int, name: str) -> str | None:
    """Return the digest of everything that a collection's results depend on; None for an unknown collection.

    That is its documents, and how they are split and embedded. Equal content has an equal digest, whenever and in whichever
    order it was added. The query reads the documents' keys and digests in one pass.
    """
    named = collection(session, project, name)
    if named is None:
        return None
    settings = {field: getattr(named, field) for field in ("embedding_model", "dimensions", "chunk_size", "chunk_overlap")}
    content = hashlib.sha256(canonical_json(settings))
    key: Any = col(DocumentRow.key)
    if session.get_bind().dialect.name == "postgresql":
        key = key.collate("C")  # byte by byte, as SQLite sorts
    query = select(DocumentRow.key, DocumentRow.digest).where(DocumentRow.collection_id == named.id).order_by(key)
    for document_key, digest in session.exec(query.execution_options(yield_per=1000)):
        content.update(canonical_json([document_key, digest]))
    return "sha256:" + content.hexdigest()


def document(session: Session, collection: int, key: str) -> StoredDocument | None:
    """Return a document by its key."""
    query = select(DocumentRow).where(DocumentRow.collection_id == collection, DocumentRow.key == key)
    row = session.exec(query).one_or_none()
    return _document(row) if row else None


def documents(session: Session, collection: int, after: str | None, limit: int) -> list[StoredDocument]:
    """Return a page of a collection's documents, ordered by key."""
    query = select(DocumentRow).where(DocumentRow.collection_id == collection).order_by(DocumentRow.key).limit(limit)
    if after is not None:
        query = query.where(DocumentRow.key > after)
    return [_document(row) for row in session.exec(query)]


def document_digests(session: Session, collection: int, keys: Sequence[str]) -> dict[str, str]:
    """Return the digests of the documents with these keys, by key; a key without a document is left out."""
    query = select(DocumentRow.key, DocumentRow.digest)
    query = query.where(DocumentRow.collection_id == collection, col(DocumentRow.key).in_(keys))
    return dict(session.exec(query).all())


def add_document(session: Session, collection: int, new: StoredDocument, chunks: Sequence[Chunk]) -> None:
    """Add a document and its chunks; the database assigns its id."""
    row = DocumentRow(
        collection_id=collection,
        key=new.key,
        title=new.title,
        digest=new.digest,
        extra=dict(new.metadata),
        created_at=new.created_at,
    )
    session.add(row)
    session.flush()
    session.add_all(ChunkRow(collection_id=collection, document_id=row.id or 0, **vars(chunk)) for chunk in chunks)
    session.flush()


def delete_document(session: Session, document: int) -> list[str]:
    """Delete a document and its chunks; return the ids of the chunks."""
    chunk_ids = list(session.exec(select(ChunkRow.id).where(ChunkRow.document_id == document)))
    session.exec(delete(ChunkRow).where(col(ChunkRow.document_id) == document))
    session.exec(delete(DocumentRow).where(col(DocumentRow.id) == document))
    return chunk_ids


def document_chunks(session: Session, collection: int, ids: Sequence[str]) -> dict[str, DocumentChunk]:
    """Return chunks of a collection by id, with their documents; an unknown id is left out."""
    query = select(ChunkRow, DocumentRow).join(DocumentRow, col(DocumentRow.id) == ChunkRow.document_id)
    query = query.where(ChunkRow.collection_id == collection, col(ChunkRow.id).in_(ids))
    return {chunk.id: DocumentChunk(_chunk(chunk), document.key, document.extra) for chunk, document in session.exec(query)}


def walk_chunks(session: Session, collection: int, batch: int = 1000) -> Iterator[list[DocumentChunk]]:
    """Yield all chunks of a collection in batches, ordered by id."""
    last = ""
    while True:
        query = select(ChunkRow, DocumentRow).join(DocumentRow, col(DocumentRow.id) == ChunkRow.document_id)
        query = query.where(ChunkRow.collection_id == collection, ChunkRow.id > last).order_by(ChunkRow.id).limit(batch)
        rows = session.exec(query).all()
        if not rows:
            return
        yield [DocumentChunk(_chunk(chunk), document.key, document.extra) for chunk, document in rows]
        last = rows[-1][0].id
        session.expunge_all()


def _collection(row: CollectionRow) -> Collection:
    return Collection(
        row.id or 0,
        row.name,
        row.uid,
        row.description,
        row.embedding_model,
        row.dimensions,
        row.chunk_size,
        row.chunk_overlap,
        row.created_at,
    )


def _document(row: DocumentRow) -> StoredDocument:
    return StoredDocument(row.id or 0, row.key, row.title, row.digest, row.extra, row.created_at)


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(row.id, row.ordinal, row.text, row.digest, row.vector)
