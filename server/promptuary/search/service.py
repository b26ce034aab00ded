"""The search for prompts by a text and by another prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.embedding.index import SearchedIn
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.name import LATEST
from promptuary.registry import store as registry_store
from promptuary.registry.service import Registry
from promptuary.search import summary_text
from promptuary.search.nearest import NearestPrompts, NearestVersions
from promptuary.search.prompt_vectors import PromptVectors


@dataclass(frozen=True)
class PromptMatch:
    """A prompt in a search result: the version that was compared, and its cosine similarity."""

    name: str
    version: int
    score: float
    labels: tuple[str, ...]
    snippet: str


@dataclass(frozen=True)
class PromptMatches:
    """A search result, the nearest prompt first; the number of prompts that were not compared yet, and where it was made."""

    items: Sequence[PromptMatch]
    behind: int
    searched: SearchedIn


@dataclass(frozen=True)
class MatchLimits:
    """How many prompts a search returns at most, and the minimum cosine similarity (-1 to 1)."""

    k: int
    min_score: float | None = None


@dataclass(frozen=True)
class PromptSearch:
    """Semantic search over a project's prompts; safe to use from several threads.

    Attributes:
        database: where the prompts are.
        clock: the present time.
        settings: for the lookup of the version that others are compared with.
        vectors: the process's prompt vectors.
    """

    database: Database
    clock: Clock
    settings: Settings
    vectors: PromptVectors

    def search(self, project: int, text: str, limits: MatchLimits) -> PromptMatches:
        """Return the prompts nearest to a text.

        Raises:
            Unavailable: when the embedder or the index does not work.
        """
        self.vectors.catch_up(project)
        vector = self.vectors.embed([[text]])[0]
        return _matches(self._nearest.find(project, vector, limits.k, limits.min_score), text)

    def similar(
        self, caller: Caller, name: str, limits: MatchLimits, *, label: str | None = None, version: int | None = None
    ) -> PromptMatches:
        """Return the other prompts nearest to one version of a prompt: by label, by number, or the newest.

        Raises:
            InvalidRequest, NotFound: as a lookup does.
            Unavailable: when the index does not answer, or the embedder, if the version's vector is not stored yet.
        """
        with self.database.read() as session:
            unit = UnitOfWork(session, caller, self.clock, self.settings)
            selected = Registry(unit).lookup(name, label=label if label or version else LATEST, version=version).version
            prompt = registry_store.find_prompt(session, caller.project, name)
        self.vectors.catch_up(caller.project)
        prompt_id = prompt.id if prompt else 0
        content = content_from_json(selected.content)
        texts = summary_text.embedding_texts(name, content, selected.tags)
        vector = self.vectors.stored_vector(caller.project, prompt_id, texts)
        if vector is None:
            vector = self.vectors.embed([texts])[0]
        nearest = self._nearest.find(caller.project, vector, limits.k, limits.min_score, prompt_id)
        return _matches(nearest, " ".join(content.texts()))

    @property
    def _nearest(self) -> NearestPrompts:
        return NearestPrompts(self.database, self.vectors)


def _matches(nearest: NearestVersions, text: str) -> PromptMatches:
    """Return the result for clients: each prompt with its sentence that fits the text best."""
    items = [
        PromptMatch(
            item.version.prompt,
            item.version.number,
            item.score,
            item.version.labels,
            summary_text.snippet(content_from_json(item.version.content), text),
        )
        for item in nearest.items
    ]
    return PromptMatches(items, nearest.behind, SearchedIn.SQL if nearest.in_sql else SearchedIn.INDEX)
