"""The wire models of collections, documents, queries and rendering."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from promptuary.context.document_key import checked_key
from promptuary.context.metadata_name import checked_metadata_name
from promptuary.context.service import CollectionSummary
from promptuary.context.store import StoredDocument
from promptuary.core.wire import RequestModel, ResponseModel, SchemaOf
from promptuary.embedding.index import SearchedIn
from promptuary.prompt.content import ModelConfig
from promptuary.prompt.messages.message import Message
from promptuary.prompt.name import Name
from promptuary.prompt.templates.prepared import RenderedPrompt
from promptuary.registry.service import LookupResult

Text = Annotated[str, Field(min_length=1, max_length=1024 * 1024)]
Key = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(checked_key)]
MetadataName = Annotated[str, AfterValidator(checked_metadata_name)]
Metadata = Annotated[dict[MetadataName, JsonValue], Field(max_length=50)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class PutCollection(RequestModel):
    """A collection to create or to describe."""

    description: Annotated[str, Field(max_length=2000)] | None = None
    chunk_size: Annotated[int, Field(ge=50, le=8000)] | None = None
    chunk_overlap: Annotated[int, Field(ge=0, le=2000)] | None = None

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if (self.chunk_overlap or 0) * 2 > (self.chunk_size or 600):
            raise ValueError("chunk_overlap must be at most half of chunk_size")
        return self


class CollectionOut(ResponseModel):
    """A collection in a list."""

    name: str
    description: str
    embedding_model: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    created_at: datetime


class CollectionSummaryOut(CollectionOut):
    """A collection with the numbers of its documents and chunks."""

    documents: int
    chunks: int

    @classmethod
    def of(cls, summary: CollectionSummary) -> Self:
        """Build the wire model from the domain value."""
        collection = CollectionOut.model_validate(summary.collection)
        return cls(**collection.model_dump(), documents=summary.documents, chunks=summary.chunks)


class DocumentIn(RequestModel):
    """A document to ingest, under a key of the client's choice."""

    id: Key
    text: Text
    title: Annotated[str, Field(max_length=500)] = ""
    metadata: Metadata = Field(default_factory=dict)


class NewDocuments(RequestModel):
    """Documents to ingest."""

    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=1000)]


class IngestionResultOut(ResponseModel):
    """The numbers of documents that are new or changed, of unchanged documents, and of stored chunks."""

    added: int
    unchanged: int
    chunks: int


class DocumentOut(ResponseModel):
    """A document in a list."""

    id: str
    title: str
    digest: str
    metadata: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, document: StoredDocument) -> Self:
        """Build the wire model from the domain value."""
        return cls(
            id=document.key,
            title=document.title,
            digest=document.digest,
            metadata=dict(document.metadata),
            created_at=document.created_at,
        )


class ReindexedOut(ResponseModel):
    """The number of chunks in a rebuilt index."""

    chunks: int


class Query(RequestModel):
    """A text to look for in a collection."""

    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    k: Annotated[int, Field(ge=1, le=100)] = 4
    min_score: Annotated[float, Field(ge=-1, le=1)] | None = None
    where: Annotated[dict[MetadataName, str | int | float | bool], Field(max_length=10)] | None = None


class PassageOut(ResponseModel):
    """A passage: its cosine similarity to the query, and its source."""

    score: float
    collection: str
    document: str
    chunk: int
    text: str
    digest: str
    metadata: dict[str, Any]


class Passages(ResponseModel):
    """The passages, the nearest first.

    `searched` is `sql` where every vector was compared: in a process without an index, or while an index that has lost
    something is rebuilt. The passages are the same.
    """

    passages: list[PassageOut]
    searched: SearchedIn


class Render(RequestModel):
    """The version to render, its variables, and the query for its context."""

    label: Name | None = None
    version: Number | None = None
    variables: Annotated[dict[str, JsonValue], Field(max_length=200)] = Field(default_factory=dict)
    query: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    targeting_key: Annotated[str, Field(max_length=1000)] | None = None


class ManifestEntry(ResponseModel):
    """Which chunk of which document is in the rendered prompt."""

    collection: str
    document: str
    chunk: int
    digest: str
    score: float


class RenderedOut(ResponseModel):
    """What a model receives, the version that it was rendered from, and the passages in it with their manifest."""

    name: str
    version: int
    digest: str
    variant: str | None
    text: str | None
    messages: list[Annotated[dict[str, Any], SchemaOf(Message)]] | None
    model: Annotated[dict[str, Any], SchemaOf(ModelConfig)] | None
    passages: list[PassageOut]
    manifest: list[ManifestEntry]

    @classmethod
    def of(cls, result: LookupResult, rendered: RenderedPrompt) -> Self:
        """Build the wire model from the lookup's result and the rendered prompt."""
        version = result.version
        return cls(
            name=version.prompt,
            version=version.number,
            digest=version.digest,
            variant=result.variant,
            text=rendered.text,
            messages=[dict(message) for message in rendered.messages] if rendered.messages is not None else None,
            model=version.content["model"],
            passages=[PassageOut.model_validate(passage) for passage in rendered.passages],
            manifest=[ManifestEntry.model_validate(passage) for passage in rendered.passages],
        )
