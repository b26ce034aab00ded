"""The tables of collections; private to this folder. They include the vectors, from which Chroma can be rebuilt."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class CollectionRow(SQLModel, table=True):
    """A collection, and how its documents are split and embedded; neither ever changes.

    `generation` counts the changes of its documents, and `chunks` their chunks: an index that has others has lost something.
    """

    __tablename__ = "collection"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    uid: str = Field(unique=True)
    description: str = ""
    embedding_model: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    generation: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    chunks: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_at: datetime = Field(sa_type=UtcDateTime)


class DocumentRow(SQLModel, table=True):
    """A document, under a key of the client's choice."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("collection_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    collection_id: int = Field(foreign_key="collection.id")
    key: str
    title: str = ""
    digest: str
    extra: dict[str, Any] = Field(sa_column=Column("metadata", JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)


class ChunkRow(SQLModel, table=True):
    """A piece of a document and its vector: little-endian float32, of unit length."""

    __tablename__ = "chunk"
    __table_args__ = (UniqueConstraint("document_id", "ordinal"),)

    id: str = Field(primary_key=True)
    collection_id: int = Field(foreign_key="collection.id", index=True)
    document_id: int = Field(foreign_key="document.id")
    ordinal: int
    text: str = Field(sa_column=Column(Text, nullable=False))
    digest: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
