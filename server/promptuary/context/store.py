"""Queries of the context: a session in, domain values out. Every query is scoped by the project or by a collection of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, func, select

from promptuary.context.tables import ChunkRow, CollectionRow, DocumentRow


@dataclass(frozen=True)
class Collection:
    """A collection, and how its documents are cut and embedded; `uid` is its name in the index."""

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
class Document:
    """A document in a list."""

    id: int
    key: str
    title: str
    digest: str
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Chunk:
    """A piece of a document and its vector: little-endian float32."""

    id: str
    ordinal: int
    text: str
    digest: str
    vector: bytes


@dataclass(frozen=True)
class Placed:
    """A chunk with the document that it is of."""

    chunk: Chunk
    document: str
    metadata: Mapping[str, Any]


def collection(session: Session, project: int, name: str) -> Collection | None:
    """Find a collection by its name."""
    query = select(CollectionRow).where(CollectionRow.project_id == project, CollectionRow.name == name)
    row = session.exec(query).one_or_none()
    return _collection(row) if row else None


def collection_by_id(session: Session, collection: int) -> Collection | None:
    """Find a collection by its number, for the index's messages."""
    row = session.get(CollectionRow, collection)
    return _collection(row) if row else None


def number_of(session: Session, uid: str) -> int:
    """Give the number of the collection with this name in the index; 0, which none has, where it is unknown."""
    return session.exec(select(CollectionRow.id).where(CollectionRow.uid == uid)).one_or_none() or 0


def collections(session: Session, project: int | None, after: str | None, limit: int) -> list[Collection]:
    """List a project's collections by name; all projects' for None."""
    query = select(CollectionRow).order_by(CollectionRow.name).limit(limit)
    if project is not None:
        query = query.where(CollectionRow.project_id == project)
    if after is not None:
        query = query.where(CollectionRow.name > after)
    return [_collection(row) for row in session.exec(query)]


def add_collection(session: Session, project: int, new: Collection) -> Collection:
    """Add a collection; its number is given here."""
    values = {name: value for name, value in vars(new).items() if name != "id"}
    row = CollectionRow(project_id=project, **values)
    session.add(row)
    session.flush()
    return _collection(row)


def describe(session: Session, collection: int, description: str) -> None:
    """Change a collection's description."""
    row = session.get_one(CollectionRow, collection)
    row.description = description
    session.add(row)


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


def counts(session: Session, collection: int) -> tuple[int, int]:
    """Count a collection's documents and chunks."""
    documents = select(func.count()).select_from(DocumentRow).where(DocumentRow.collection_id == collection)
    chunks = select(func.count()).select_from(ChunkRow).where(ChunkRow.collection_id == collection)
    return session.exec(documents).one(), session.exec(chunks).one()


def document(session: Session, collection: int, key: str) -> Document | None:
    """Find a document by its key."""
    query = select(DocumentRow).where(DocumentRow.collection_id == collection, DocumentRow.key == key)
    row = session.exec(query).one_or_none()
    return _document(row) if row else None


def documents(session: Session, collection: int, after: str | None, limit: int) -> list[Document]:
    """List a collection's documents by key."""
    query = select(DocumentRow).where(DocumentRow.collection_id == collection).order_by(DocumentRow.key).limit(limit)
    if after is not None:
        query = query.where(DocumentRow.key > after)
    return [_document(row) for row in session.exec(query)]


def digests(session: Session, collection: int, keys: Sequence[str]) -> dict[str, str]:
    """Give the digests of those documents that are there."""
    query = select(DocumentRow.key, DocumentRow.digest)
    query = query.where(DocumentRow.collection_id == collection, col(DocumentRow.key).in_(keys))
    return {key: digest for key, digest in session.exec(query)}


def add_document(session: Session, collection: int, new: Document, chunks: Sequence[Chunk]) -> None:
    """Add a document and its chunks."""
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


def remove_document(session: Session, document: int) -> list[str]:
    """Take a document and its chunks away; give the chunks' ids."""
    gone = list(session.exec(select(ChunkRow.id).where(ChunkRow.document_id == document)))
    session.exec(delete(ChunkRow).where(col(ChunkRow.document_id) == document))
    session.exec(delete(DocumentRow).where(col(DocumentRow.id) == document))
    return gone


def placed(session: Session, collection: int, ids: Sequence[str]) -> dict[str, Placed]:
    """Give those of the chunks that the collection has, with their documents."""
    query = select(ChunkRow, DocumentRow).join(DocumentRow, col(DocumentRow.id) == ChunkRow.document_id)
    query = query.where(ChunkRow.collection_id == collection, col(ChunkRow.id).in_(ids))
    return {chunk.id: Placed(_chunk(chunk), document.key, document.extra) for chunk, document in session.exec(query)}


def walk(session: Session, collection: int, batch: int = 1000) -> Iterator[list[Placed]]:
    """Go through all of a collection's chunks, by id, in batches."""
    last = ""
    while True:
        query = select(ChunkRow, DocumentRow).join(DocumentRow, col(DocumentRow.id) == ChunkRow.document_id)
        query = query.where(ChunkRow.collection_id == collection, ChunkRow.id > last).order_by(ChunkRow.id).limit(batch)
        rows = session.exec(query).all()
        if not rows:
            return
        yield [Placed(_chunk(chunk), document.key, document.extra) for chunk, document in rows]
        last = rows[-1][0].id
        session.expunge_all()


def _document(row: DocumentRow) -> Document:
    return Document(row.id or 0, row.key, row.title, row.digest, row.extra, row.created_at)


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(row.id, row.ordinal, row.text, row.digest, row.vector)
