"""What the context's routes take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, model_validator

from promptuary.context.service import CollectionSummary
from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.prompt.name import Name
from promptuary.prompt.templates.prepared import Passage
from promptuary.search.service import PromptMatches

Text = Annotated[str, Field(min_length=1, max_length=1024 * 1024)]
Key = Annotated[str, Field(min_length=1, max_length=500)]
Metadata = Annotated[dict[str, JsonValue], Field(max_length=50)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class PutCollection(RequestModel):
    """A collection to make or describe."""

    description: Annotated[str, Field(max_length=2000)] | None = None
    chunk_size: Annotated[int, Field(ge=50, le=8000)] | None = None
    chunk_overlap: Annotated[int, Field(ge=0, le=2000)] | None = None

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if (self.chunk_overlap or 0) * 2 > (self.chunk_size or 600):
            raise ValueError("chunk_overlap must be at most half of chunk_size")
        return self


class CollectionOut(ResponseModel):
    """A collection and how much it holds."""

    name: str
    description: str
    embedding_model: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    created_at: datetime


class CollectionSummaryOut(CollectionOut):
    """A collection and how much it holds."""

    documents: int
    chunks: int

    @classmethod
    def of(cls, held: CollectionSummary) -> Self:
        """Make it from the domain's value."""
        shown = CollectionOut.model_validate(held.collection)
        return cls(**shown.model_dump(), documents=held.documents, chunks=held.chunks)


class DocumentIn(RequestModel):
    """A document to take in, under a key of the caller's choice."""

    id: Key
    text: Text
    title: Annotated[str, Field(max_length=500)] = ""
    metadata: Metadata = Field(default_factory=dict)


class NewDocuments(RequestModel):
    """Documents to take in."""

    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=1000)]


class IngestionResultOut(ResponseModel):
    """What came of it."""

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


class Query(RequestModel):
    """What to look for."""

    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    k: Annotated[int, Field(ge=1, le=100)] = 4
    min_score: Annotated[float, Field(ge=-1, le=1)] | None = None
    where: Annotated[dict[str, str | int | float | bool], Field(max_length=10)] | None = None


class PassageOut(ResponseModel):
    """A passage that was found: its cosine, and where it comes from."""

    score: float
    collection: str
    document: str
    chunk: int
    text: str
    digest: str
    metadata: dict[str, Any]


class Passages(ResponseModel):
    """The passages, the nearest first."""

    passages: list[PassageOut]


class Render(RequestModel):
    """Which version to render, and with what."""

    label: Name | None = None
    version: Number | None = None
    variables: Annotated[dict[str, JsonValue], Field(max_length=200)] = Field(default_factory=dict)
    query: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    targeting_key: Annotated[str, Field(max_length=1000)] | None = None


class ManifestEntry(ResponseModel):
    """Which piece of which document is in the rendered prompt."""

    collection: str
    document: str
    chunk: int
    digest: str
    score: float


class RenderedOut(ResponseModel):
    """What goes to a model, the version that it was rendered from, and the passages in it with their manifest."""

    name: str
    version: int
    digest: str
    variant: str | None
    text: str | None
    messages: list[dict[str, str]] | None
    model: dict[str, Any] | None
    passages: list[PassageOut]
    manifest: list[ManifestEntry]

    @classmethod
    def passages_out(cls, passages: tuple[Passage, ...]) -> dict[str, Any]:
        """Give the two fields that the passages fill."""
        return {
            "passages": [PassageOut.model_validate(passage) for passage in passages],
            "manifest": [ManifestEntry.model_validate(passage) for passage in passages],
        }


class PromptMatchOut(ResponseModel):
    """A prompt that was found: which version was compared, its cosine, the labels on it, and the sentence that fits best."""

    name: str
    version: int
    score: float
    labels: list[str]
    snippet: str


class PromptMatchesOut(ResponseModel):
    """The prompts, the nearest first, and how many could not be compared because they are not indexed yet."""

    items: list[PromptMatchOut]
    behind: int

    @classmethod
    def of(cls, found: PromptMatches) -> Self:
        """Make it from the domain's value."""
        return cls.model_validate(found)


class Reindex(RequestModel):
    """Whether to send the index every vector again, or only what it has not heard of."""

    anew: bool = False


class IndexProgressOut(ResponseModel):
    """How many prompts the index holds, and how many are still to come: call again until none is."""

    prompts: int
    behind: int
