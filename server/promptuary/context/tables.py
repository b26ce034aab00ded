"""The context's tables; private to this folder. The vectors are here too: Chroma can be made again from them at any time."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class CollectionRow(SQLModel, table=True):
    """A collection, and how its documents are cut and embedded; neither changes while it holds documents."""

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
    created_at: datetime = Field(sa_type=UtcDateTime)


class DocumentRow(SQLModel, table=True):
    """A document, under the key that its owner gave it."""

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


class PromptIndexRow(SQLModel, table=True):
    """The name under which the index keeps a project's prompts, for one embedding model: another model, another collection."""

    __tablename__ = "prompt_index"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    model: str = Field(primary_key=True)
    uid: str = Field(unique=True)


class PromptVectorRow(SQLModel, table=True):
    """One prompt's vector (little-endian float32, of unit length), the version that it is of, and whether the index has it.

    `digest` names the texts that were embedded; `indexed` is set once the index was told of exactly this row.
    """

    __tablename__ = "prompt_vector"

    prompt_id: int = Field(foreign_key="prompt.id", primary_key=True)
    version: int
    digest: str
    model: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    indexed: bool = False
