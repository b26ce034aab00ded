"""Prompts found by what they say: by a text, by another prompt, and before a registering those that say nearly the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.context import store
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.registry import store as registry_store
from promptuary.registry.labels import LATEST
from promptuary.registry.service import Registry
from promptuary.registry.similarity import MAX_MATCHES, SIMILAR_PROMPT, SIMILAR_UNCHECKED, RegistrationWarning
from promptuary.registry.store import Version
from promptuary.search import summary_text
from promptuary.search.prompt_vectors import PromptVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANDIDATES = 6
"""The prompts that are looked at closely when one is registered."""
NAME_TOLERANCE = 0.2
"""How much less near two prompts that say the same may be by their names."""
EXTRA_HITS = 8
MAX_HITS = 10_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PromptMatch:
    """A prompt that was found, which of its versions, and how near that is: the cosine."""

    name: str
    version: int
    score: float
    labels: tuple[str, ...]
    snippet: str


@dataclass(frozen=True)
class PromptMatches:
    """What was found, the nearest first, and how many prompts could not be compared yet."""

    items: Sequence[PromptMatch]
    behind: int


@dataclass(frozen=True)
class _ScoredVersions:
    pairs: Sequence[tuple[float, Version]]
    behind: int


@dataclass(frozen=True)
class PromptSearch:
    """Asks the process's vectors; safe to use from several threads.

    Attributes:
        database: where the prompts are.
        clock: gives the present moment.
        settings: how near is nearly the same.
        vectors: the process's one.
    """

    database: Database
    clock: Clock
    settings: Settings
    vectors: PromptVectors

    def search(self, project: int, text: str, k: int, min_score: float | None = None) -> PromptMatches:
        """Find the k prompts nearest to a text.

        Args:
            project: whose prompts.
            text: what to look for.
            k: the most prompts.
            min_score: the least cosine, -1 to 1.

        Raises:
            Unavailable: when the embedder or the index cannot answer.
        """
        self.vectors.catch_up(project)
        return _shown(self._nearest(project, self.vectors.embed([[text]])[0], k, min_score), text)

    def similar(
        self,
        caller: Caller,
        name: str,
        k: int,
        min_score: float | None = None,
        label: str | None = None,
        version: int | None = None,
    ) -> PromptMatches:
        """Find the k other prompts nearest to a version of a prompt: by label, by number, or its newest.

        Raises:
            InvalidRequest, NotFound: as a lookup does.
            Unavailable: when the index cannot answer, or the embedder, where the version's vector is not there yet.
        """
        with self.database.read() as session:
            unit = UnitOfWork(session, caller, self.clock, self.settings)
            found = Registry(unit).lookup(name, label=label if label or version else LATEST, version=version).version
            own = registry_store.prompt(session, caller.project, name)
        self.vectors.catch_up(caller.project)
        content = content_from_json(found.content)
        texts = summary_text.embedding_texts(name, content, found.tags)
        prompt = own.id if own else 0
        vector = self.vectors.known(caller.project, prompt, texts)
        if vector is None:
            vector = self.vectors.embed([texts])[0]
        return _shown(self._nearest(caller.project, vector, k, min_score, prompt), " ".join(content.texts()))

    def check_similarity(self, project: int, name: str, content: Content) -> list[RegistrationWarning]:
        """Give the other prompts that say nearly the same as a content that is about to be registered; raises nothing."""
        try:
            found = self._resembling(project, name, content)
        except Unavailable as error:
            return [RegistrationWarning(SIMILAR_UNCHECKED, f"similar prompts could not be looked for: {error.message}")]
        except Exception:
            log.exception("the search for similar prompts failed", prompt=name)
            return [
                RegistrationWarning(SIMILAR_UNCHECKED, "similar prompts could not be looked for; the server's log says why")
            ]
        warnings = [
            RegistrationWarning(
                SIMILAR_PROMPT,
                f"version {version.number} of '{version.prompt}' says nearly the same (cosine {score:.2f}); compare the two",
                version.prompt,
                version.number,
                score,
            )
            for score, version in found.pairs
        ]
        if found.behind:
            left = f"{found.behind} prompts are not indexed yet and were not compared"
            warnings.append(RegistrationWarning(SIMILAR_UNCHECKED, f"{left}; promptuary context reindex --prompts does it"))
        return warnings

    def _resembling(self, project: int, name: str, content: Content) -> _ScoredVersions:
        """Take prompts that a search finds near, and look at them closely: at their texts without their names.

        They have to be near as a whole, and so has what each says that the other does not, if both do.
        """
        self.vectors.catch_up(project)
        with self.database.read() as session:
            own = registry_store.prompt(session, project, name)
        if summary_text.has_no_text(content):
            return _ScoredVersions((), self.vectors.behind(project))
        least = self.settings.similar_threshold
        mine = self.vectors.embed([summary_text.summary_pieces(content)])[0]
        found = self._nearest(project, mine, CANDIDATES, least - NAME_TOLERANCE, own.id if own else None)
        others = [(version, content_from_json(version.content)) for _, version in found.pairs]
        rests = [summary_text.distinct_texts(content, other) for _, other in others]
        texts = [summary_text.summary_pieces(other) for _, other in others] + [
            rest for pair in rests if pair is not None for rest in pair
        ]
        rows = iter(self.vectors.embed(texts)) if texts else iter(())
        scored = [(round(float(next(rows) @ mine), 6), version) for version, _ in others]
        near = [rest is None or float(next(rows) @ next(rows)) >= least for rest in rests]
        alike = [pair for pair, is_near in zip(scored, near, strict=True) if is_near and pair[0] >= least]
        return _ScoredVersions(sorted(alike, key=_order)[:MAX_MATCHES], found.behind)

    def _nearest(
        self, project: int, vector: "NDArray[np.float32]", k: int, min_score: float | None, leave_out: int | None = None
    ) -> _ScoredVersions:
        """Ask the index for more until k are left of what it knows, or it knows no more.

        What it says is joined to SQL: there stand the vector that counts, and whether the prompt is archived.
        """
        behind = self.vectors.behind(project)
        with self.database.read() as session:
            uid = store.prompt_uid(session, project, self.vectors.model)
        if uid is None:
            return _ScoredVersions((), behind)
        wanted = k + EXTRA_HITS
        while True:
            hits = self.vectors.index.query(uid, vector.tolist(), wanted, {})
            ids = [int(hit.id) for hit in hits if int(hit.id) != leave_out]
            joined = sorted(self._joined(project, ids, vector), key=_order)
            too_far = min_score is not None and bool(hits) and hits[-1].score < min_score
            if len(joined) >= k or len(hits) < wanted or too_far or wanted >= MAX_HITS:
                break
            wanted = min(wanted * 4, MAX_HITS)
        return _ScoredVersions([pair for pair in joined[:k] if min_score is None or pair[0] >= min_score], behind)

    def _joined(self, project: int, prompts: Sequence[int], vector: "NDArray[np.float32]") -> list[tuple[float, Version]]:
        """Give those of the prompts that SQL still has, each with its cosine, and the version that its vector is of."""
        import numpy as np

        with self.database.read() as session:
            found = store.prompt_vectors(session, project, self.vectors.model, prompts)
            versions = registry_store.versions_by_prompt(
                session, project, {prompt: one.version for prompt, one in found.items()}
            )
        return [
            (round(float(np.frombuffer(found[prompt].vector, dtype="<f4") @ vector), 6), version)
            for prompt, version in versions.items()
        ]


def _order(pair: tuple[float, Version]) -> tuple[float, str]:
    """Put the nearest first, and those that are equally near by name."""
    score, version = pair
    return -score, version.prompt


def _shown(found: _ScoredVersions, text: str) -> PromptMatches:
    """Give what was found as it is shown, each with the sentence that fits a text best."""
    items = [
        PromptMatch(
            version.prompt,
            version.number,
            score,
            version.labels,
            summary_text.snippet(content_from_json(version.content), text),
        )
        for score, version in found.pairs
    ]
    return PromptMatches(items, found.behind)
