"""Scorers of what was retrieved: whether the passages in the prompt come from the documents that are relevant to the case.

The passages stand in the order in which the query found them, and each document counts where it comes first. The measures are
those of information retrieval with relevance of yes or no, cut off at `config: {k: …}` where it is given (as trec_eval's `P_k`,
`recall_k`, `recip_rank` and `ndcg_cut_k`). promptfoo has none of them: its `context-recall` and its like ask a model.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import TEXTS, ScorerDependencies, ScorerType, is_count
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

DEFAULT_THRESHOLD = 0.5
Measure = Callable[[Sequence[bool], int, int | None], float]


@dataclass(frozen=True)
class RetrievalScorer(BaseScorer):
    """The documents of the prompt's passages reach `threshold` on a measure against the relevant ones, which the value names.

    Attributes:
        value: the ids of the relevant documents: a list, a comma-separated text, or a template of one.
        threshold: from 0 to 1.
        measure: of whether each document found is relevant, how many are relevant in all, and k.
        k: how many documents are looked at; None for all.
    """

    value: ValueTemplate
    threshold: float
    measure: Measure
    k: int | None

    async def score(self, sample: ScorerInput) -> Score:
        """Measure; a prompt without passages found nothing, which is a score of 0."""
        relevant = set(self.value.texts(sample.case, commas=True))
        documents = list(dict.fromkeys(passage.document for passage in sample.passages))[: self.k]
        hits = [document in relevant for document in documents]
        score = self.measure(hits, len(relevant), self.k)
        reason = f"{score:.3f}, threshold {self.threshold:g}; {sum(hits)} of {len(relevant)} relevant documents found"
        return self.reached(score, self.threshold, reason)


def precision(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Give the share of what was found that is relevant; of k, where it is given, however many were found."""
    return sum(hits) / (k or len(hits) or 1)


def recall(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Give the share of what is relevant that was found."""
    return sum(hits) / relevant


def reciprocal_rank(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Give 1 / the place of the first relevant one; its mean over the cases is MRR."""
    return next((1 / place for place, hit in enumerate(hits, 1) if hit), 0.0)


def ndcg(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Give the gain discounted by log2 of the place (Järvelin, Kekäläinen, ACM TOIS 20, 2002), over the best possible."""
    best = sum(1 / math.log2(place + 1) for place in range(1, min(relevant, k or relevant) + 1))
    return sum(1 / math.log2(place + 1) for place, hit in enumerate(hits, 1) if hit) / best


def _cut(config: Any) -> str | None:
    if config.keys() != {"k"}:
        return "takes k alone: how many documents are looked at"
    return None if is_count(config["k"]) and 1 <= config["k"] <= 1000 else "must have k as a whole number from 1 to 1000"


def _kind(measure: Measure) -> ScorerType:
    def build(spec: "ScorerSpec", _: ScorerDependencies) -> RetrievalScorer:
        settings: dict[str, Any] = spec.config or {}
        reached = DEFAULT_THRESHOLD if spec.threshold is None else spec.threshold
        return RetrievalScorer(
            spec.metric, spec.weight, spec.inverse, parse_value(spec.value), reached, measure, settings.get("k")
        )

    return ScorerType(TEXTS, build, threshold=(0, 1), config=_cut)


SCORER_TYPES: dict[str, ScorerType] = {
    "retrieval-precision": _kind(precision),
    "retrieval-recall": _kind(recall),
    "retrieval-mrr": _kind(reciprocal_rank),
    "retrieval-ndcg": _kind(ndcg),
}
