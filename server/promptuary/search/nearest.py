"""The prompts nearest to a vector, with the versions that their vectors were computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptuary.core.database import Database
from promptuary.registry import version_store
from promptuary.registry.version_store import Version
from promptuary.search import store
from promptuary.search.prompt_vectors import PromptVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXTRA_HITS = 8
"""How many hits more than needed the first query requests: some may be archived or out of date."""
MAX_HITS = 10_000


@dataclass(frozen=True)
class ScoredVersion:
    """A version and its cosine similarity to the query."""

    score: float
    version: Version


@dataclass(frozen=True)
class NearestVersions:
    """The nearest versions, the nearest first, and the number of prompts that could not be compared yet.

    `in_sql` is true where every vector in SQL was compared.
    """

    items: Sequence[ScoredVersion]
    behind: int
    in_sql: bool = False


@dataclass(frozen=True)
class NearestPrompts:
    """The search for the prompts nearest to a vector.

    Attributes:
        database: where the prompts are.
        vectors: the process's prompt vectors.
    """

    database: Database
    vectors: PromptVectors

    def find(
        self,
        project: int,
        vector: "NDArray[np.float32]",
        k: int,
        min_score: float | None = None,
        leave_out: int | None = None,
    ) -> NearestVersions:
        """Return the k nearest prompts of a project, one version each.

        The search requests more hits until k of them are in SQL, or the index has no more. A hit is only a hint: the current
        vector, and whether the prompt is archived, are read from SQL.

        Args:
            project: whose prompts.
            vector: the query, of unit length.
            k: the maximum number of prompts.
            min_score: the minimum cosine similarity.
            leave_out: a prompt that is neither returned nor counted as pending.

        Raises:
            Unavailable: when the index does not answer.
        """
        behind = self.vectors.count_pending(project, leave_out)
        with self.database.read() as session:
            uid = store.index_uid(session, project, self.vectors.model)
        if uid is None:
            return NearestVersions((), behind)
        index = self.vectors.search_index(project, uid)
        limit = k + EXTRA_HITS
        while True:
            hits = index.query(uid, vector.tolist(), limit, {})
            prompts = [int(hit.id) for hit in hits if int(hit.id) != leave_out]
            scored = sorted(self._score(project, prompts, vector), key=score_order)
            below_minimum = min_score is not None and bool(hits) and hits[-1].score < min_score
            if len(scored) >= k or len(hits) < limit or below_minimum or limit >= MAX_HITS:
                break
            limit = min(limit * 4, MAX_HITS)
        return NearestVersions(
            [item for item in scored[:k] if min_score is None or item.score >= min_score], behind, index.reads_sql
        )

    def _score(self, project: int, prompts: Sequence[int], vector: "NDArray[np.float32]") -> list[ScoredVersion]:
        """Return those of the prompts that SQL has, each with the similarity and the version of its stored vector."""
        import numpy as np

        with self.database.read() as session:
            vectors = store.prompt_vectors(session, project, self.vectors.model, prompts)
            numbers = {prompt: stored.version for prompt, stored in vectors.items()}
            versions = version_store.versions_by_prompt(session, project, numbers)
        return [
            ScoredVersion(round(float(np.frombuffer(vectors[prompt].vector, dtype="<f4") @ vector), 6), version)
            for prompt, version in versions.items()
        ]


def score_order(item: ScoredVersion) -> tuple[float, str]:
    """Return the sort key that puts the nearest first, and equally near ones in the order of their names."""
    return -item.score, item.version.prompt
