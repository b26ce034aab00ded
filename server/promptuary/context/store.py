"""Queries of the context: a session in, domain values out. Every query is scoped by the project or by a collection of it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, tuple_
from sqlmodel import Session, col, delete, func, select, update

from promptuary.context.tables import ChunkRow, CollectionRow, DocumentRow, PromptIndexRow, PromptVectorRow
from promptuary.prompt.digest import canonical_json
from promptuary.registry.store import active_prompts


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
class StoredDocument:
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
class DocumentChunk:
    """A chunk with the document that it is of."""

    chunk: Chunk
    document: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class PromptVector:
    """A prompt's vector: of which version, of which texts (`digest`), by which model."""

    prompt: int
    version: int
    digest: str
    model: str
    vector: bytes


def collection(session: Session, project: int, name: str) -> Collection | None:
    """Find a collection by its name."""
    query = select(CollectionRow).where(CollectionRow.project_id == project, CollectionRow.name == name)
    row = session.exec(query).one_or_none()
    return _collection(row) if row else None


def collection_by_id(session: Session, collection: int) -> Collection | None:
    """Find a collection by its number, for the index's messages."""
    row = session.get(CollectionRow, collection)
    return _collection(row) if row else None


def collection_id_of(session: Session, uid: str) -> int:
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


def content_digest(session: Session, project: int, name: str) -> str | None:
    """Give the digest of all that a collection's answers depend on: its documents and how they are cut and embedded.

    Equal content has an equal digest, whenever and in whichever order it came in; None where there is no such collection.
    One pass over the documents, of which keys and digests are read.
    """
    found = collection(session, project, name)
    if found is None:
        return None
    made = {name: getattr(found, name) for name in ("embedding_model", "dimensions", "chunk_size", "chunk_overlap")}
    content = hashlib.sha256(canonical_json(made))
    key: Any = col(DocumentRow.key)
    if session.get_bind().dialect.name == "postgresql":
        key = key.collate("C")  # byte by byte, as SQLite sorts
    query = select(DocumentRow.key, DocumentRow.digest).where(DocumentRow.collection_id == found.id).order_by(key)
    for document, digest in session.exec(query.execution_options(yield_per=1000)):
        content.update(canonical_json([document, digest]))
    return "sha256:" + content.hexdigest()


def document(session: Session, collection: int, key: str) -> StoredDocument | None:
    """Find a document by its key."""
    query = select(DocumentRow).where(DocumentRow.collection_id == collection, DocumentRow.key == key)
    row = session.exec(query).one_or_none()
    return _document(row) if row else None


def documents(session: Session, collection: int, after: str | None, limit: int) -> list[StoredDocument]:
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


def add_document(session: Session, collection: int, new: StoredDocument, chunks: Sequence[Chunk]) -> None:
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


def document_chunks(session: Session, collection: int, ids: Sequence[str]) -> dict[str, DocumentChunk]:
    """Give those of the chunks that the collection has, with their documents."""
    query = select(ChunkRow, DocumentRow).join(DocumentRow, col(DocumentRow.id) == ChunkRow.document_id)
    query = query.where(ChunkRow.collection_id == collection, col(ChunkRow.id).in_(ids))
    return {chunk.id: DocumentChunk(_chunk(chunk), document.key, document.extra) for chunk, document in session.exec(query)}


def walk_chunks(session: Session, collection: int, batch: int = 1000) -> Iterator[list[DocumentChunk]]:
    """Go through all of a collection's chunks, by id, in batches."""
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


def _document(row: DocumentRow) -> StoredDocument:
    return StoredDocument(row.id or 0, row.key, row.title, row.digest, row.extra, row.created_at)


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(row.id, row.ordinal, row.text, row.digest, row.vector)


# --- prompts ------------------------------------------------------------------------------------------------------------


def prompt_uid(session: Session, project: int, model: str) -> str | None:
    """Give the name under which the index keeps a project's prompts; None before its first vector."""
    row = session.get(PromptIndexRow, (project, model))
    return row.uid if row else None


def add_prompt_uid(session: Session, project: int, model: str, uid: str) -> None:
    """Name a project's collection of prompts in the index, once; the caller holds the project."""
    if session.get(PromptIndexRow, (project, model)) is None:
        session.add(PromptIndexRow(project_id=project, model=model, uid=uid))


def prompts_without_vector(session: Session, project: int, model: str, limit: int, first: int | None = None) -> dict[int, int]:
    """Give prompts whose newest version has no vector, each with that version's number: `first`, then the last changed."""
    now = active_prompts(project)
    query = select(now.c.id, now.c.newest).outerjoin(PromptVectorRow, _current(now, model))
    query = query.where(col(PromptVectorRow.prompt_id).is_(None))
    rows = session.exec(query.order_by(now.c.id != first, now.c.revision.desc(), now.c.id).limit(limit))
    return {int(prompt): int(number) for prompt, number in rows}


def count_pending(session: Session, project: int, model: str, *, indexed: bool) -> int:
    """Count the prompts whose newest version has no vector; with `indexed`, also those that the index has not heard of."""
    now = active_prompts(project)
    found = _current(now, model)
    query = select(func.count()).select_from(now)
    query = query.outerjoin(PromptVectorRow, and_(found, col(PromptVectorRow.indexed)) if indexed else found)
    return session.exec(query.where(col(PromptVectorRow.prompt_id).is_(None))).one()


def _current(now: Subquery, model: str) -> ColumnElement[bool]:
    row = PromptVectorRow
    return and_(col(row.prompt_id) == now.c.id, col(row.version) == now.c.newest, col(row.model) == model)


def prompt_vectors(session: Session, project: int, model: str, prompts: Sequence[int]) -> dict[int, PromptVector]:
    """Give the vectors of those prompts that are the project's, not archived, and have one."""
    query = _vectors_of(project, model).where(col(PromptVectorRow.prompt_id).in_(prompts))
    return {row.prompt_id: _prompt_vector(row) for row in session.exec(query)}


def put_prompt_vectors(session: Session, vectors: Sequence[PromptVector]) -> None:
    """Put vectors in the place of those of older versions; the caller holds the project."""
    for vector in vectors:
        row = session.get(PromptVectorRow, vector.prompt)
        if row is None or row.version <= vector.version or row.model != vector.model:
            values = {name: value for name, value in vars(vector).items() if name != "prompt"}
            session.merge(PromptVectorRow(prompt_id=vector.prompt, indexed=False, **values))


def unindexed_vectors(session: Session, project: int, model: str, limit: int) -> list[PromptVector]:
    """Give vectors that the index has not heard of."""
    query = _vectors_of(project, model).where(~col(PromptVectorRow.indexed)).limit(limit)
    return [_prompt_vector(row) for row in session.exec(query)]


def mark_indexed(session: Session, vectors: Sequence[PromptVector]) -> None:
    """Say that the index has these; a row that has changed meanwhile is to be sent again, for it may have come first."""
    row = PromptVectorRow
    these = tuple_(col(row.prompt_id), col(row.version), col(row.digest)).in_(
        [(vector.prompt, vector.version, vector.digest) for vector in vectors]
    )
    mine = col(row.prompt_id).in_([vector.prompt for vector in vectors])
    session.exec(update(row).where(mine).values(indexed=these))


def forget_indexed(session: Session, project: int) -> None:
    """Say that the index has none of a project's prompts."""
    session.exec(update(PromptVectorRow).where(col(PromptVectorRow.prompt_id).in_(_ids(project))).values(indexed=False))


def walk_prompt_vectors(session: Session, uid: str, batch: int = 1000) -> Iterator[list[PromptVector]]:
    """Go through all vectors of the prompts that the index keeps under this name, by prompt, in batches."""
    index = session.exec(select(PromptIndexRow).where(PromptIndexRow.uid == uid)).one_or_none()
    last = 0
    while index is not None:
        query = _vectors_of(index.project_id, index.model).where(PromptVectorRow.prompt_id > last)
        rows = session.exec(query.order_by(col(PromptVectorRow.prompt_id)).limit(batch)).all()
        if not rows:
            return
        yield [_prompt_vector(row) for row in rows]
        last = rows[-1].prompt_id
        session.expunge_all()


def _vectors_of(project: int, model: str) -> Any:
    return select(PromptVectorRow).where(col(PromptVectorRow.prompt_id).in_(_ids(project)), PromptVectorRow.model == model)


def _ids(project: int) -> Any:
    return select(active_prompts(project).c.id)


def _prompt_vector(row: PromptVectorRow) -> PromptVector:
    return PromptVector(row.prompt_id, row.version, row.digest, row.model, row.vector)
