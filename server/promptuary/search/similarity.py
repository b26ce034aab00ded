"""The check for prompts of nearly the same text as a newly registered version."""

from dataclasses import dataclass

import structlog

from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.registry import store as registry_store
from promptuary.registry.similarity import MAX_MATCHES, SIMILAR_PROMPT, SIMILAR_UNCHECKED, RegistrationWarning
from promptuary.search import summary_text
from promptuary.search.nearest import NearestPrompts, NearestVersions, ScoredVersion, score_order
from promptuary.search.prompt_vectors import PromptVectors

CANDIDATES = 6
"""The number of nearest prompts whose texts are compared in detail."""
NAME_TOLERANCE = 0.2
"""By how much the similarity of two prompts with equal texts may be lower because of their names."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SimilarPromptCheck:
    """The registry's `SimilarityChecker`; safe to use from several threads.

    Attributes:
        database: where the prompts are.
        settings: the similarity from which two prompts count as nearly the same.
        vectors: the process's prompt vectors.
    """

    database: Database
    settings: Settings
    vectors: PromptVectors

    def check_similarity(self, project: int, name: str, content: Content) -> list[RegistrationWarning]:
        """Return a warning for each other prompt of nearly the same text; a failed check is a warning, too."""
        try:
            similar = self._find_similar(project, name, content)
        except Unavailable as error:
            return [RegistrationWarning(SIMILAR_UNCHECKED, f"similar prompts could not be looked for: {error.message}")]
        except Exception:
            log.exception("the search for similar prompts failed", prompt=name)
            reason = "similar prompts could not be looked for; the server's log has the reason"
            return [RegistrationWarning(SIMILAR_UNCHECKED, reason)]
        warnings = [_similar_warning(item) for item in similar.items]
        if similar.behind:
            count = f"{similar.behind} prompts are not indexed yet and were not compared"
            remedy = "promptuary context reindex --prompts indexes them"
            warnings.append(RegistrationWarning(SIMILAR_UNCHECKED, f"{count}; {remedy}"))
        return warnings

    def _find_similar(self, project: int, name: str, content: Content) -> NearestVersions:
        """Return the prompts that are near as a whole, and in the texts that the two do not share."""
        with self.database.read() as session:
            prompt = registry_store.find_prompt(session, project, name)
        prompt_id = prompt.id if prompt else None
        self.vectors.catch_up(project, leave_out=prompt_id)
        if summary_text.has_no_text(content):
            return NearestVersions((), self.vectors.count_pending(project, prompt_id))
        threshold = self.settings.similar_threshold
        vector = self.vectors.embed([summary_text.summary_pieces(content)])[0]
        candidates = NearestPrompts(self.database, self.vectors).find(
            project, vector, CANDIDATES, threshold - NAME_TOLERANCE, prompt_id
        )
        contents = [content_from_json(item.version.content) for item in candidates.items]
        distinct = [summary_text.distinct_texts(content, other) for other in contents]
        texts = [summary_text.summary_pieces(other) for other in contents]
        texts += [side for sides in distinct if sides is not None for side in sides]
        rows = iter(self.vectors.embed(texts)) if texts else iter(())
        scored = [ScoredVersion(round(float(next(rows) @ vector), 6), item.version) for item in candidates.items]
        is_near = [sides is None or float(next(rows) @ next(rows)) >= threshold for sides in distinct]
        similar = [item for item, near in zip(scored, is_near, strict=True) if near and item.score >= threshold]
        return NearestVersions(sorted(similar, key=score_order)[:MAX_MATCHES], candidates.behind)


def _similar_warning(item: ScoredVersion) -> RegistrationWarning:
    other = item.version
    return RegistrationWarning(
        SIMILAR_PROMPT,
        f"version {other.number} of '{other.prompt}' has nearly the same text (cosine {item.score:.2f}); compare the two",
        other.prompt,
        other.number,
        item.score,
    )
