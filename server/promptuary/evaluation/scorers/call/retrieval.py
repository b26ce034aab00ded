"""Scorers of retrieval: whether the passages in the prompt come from the documents that are relevant to the case.

The passages are in the order of the query's results, and each document counts at its first passage. The measures are those of
information retrieval with binary relevance, cut off at `config: {k: …}` where it is set (as trec_eval's `P_k`, `recall_k`,
`recip_rank` and `ndcg_cut_k`). promptfoo has none of them: its `context-recall` and related types ask a model.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerConfig, ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TextListValue
from promptuary.prompt.errors import Invalid

DEFAULT_THRESHOLD = 0.5
CUTOFF_LIMIT = 1000
Measure = Callable[[Sequence[bool], int, int | None], float]
"""Maps whether each retrieved document is relevant, how many documents are relevant in all, and k, to a score in [0, 1]."""


@dataclass(frozen=True)
class CutoffConfig(ScorerConfig):
    """The setting `k`: how many retrieved documents are measured; None for all."""

    k: int | None = None

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Parse `k`, the only setting."""
        if config.keys() != {"k"}:
            raise Invalid("takes k alone: how many documents are looked at")
        k = config["k"]
        if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= CUTOFF_LIMIT:
            raise Invalid(f"must have k as a whole number from 1 to {CUTOFF_LIMIT}")
        return cls(k)


@dataclass(frozen=True)
class RetrievalScorer(BaseScorer):
    """Passes if the documents of the prompt's passages reach `threshold` on a measure against the relevant documents.

    Attributes:
        relevant: the ids of the relevant documents: a list, a comma-separated text, or a template of one.
        threshold: from 0 to 1.
        measure: of the retrieved documents.
        k: how many documents are measured; None for all.
    """

    waits: ClassVar[bool] = False

    relevant: ValueTemplate
    threshold: float
    measure: Measure
    k: int | None

    async def score(self, sample: ScorerInput) -> Score:
        """Measure the documents; a prompt without passages retrieved nothing, which is a score of 0."""
        relevant = set(self.relevant.texts(sample.case, commas=True))
        documents = list(dict.fromkeys(passage.document for passage in sample.passages))[: self.k]
        hits = [document in relevant for document in documents]
        score = self.measure(hits, len(relevant), self.k)
        reason = f"{score:.3f}, threshold {self.threshold:g}; {sum(hits)} of {len(relevant)} relevant documents found"
        return self.compared(score, self.threshold, reason)


def precision(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Return the share of the retrieved documents that are relevant; of k, where it is set, even if fewer were retrieved."""
    return sum(hits) / (k or len(hits) or 1)


def recall(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Return the share of the relevant documents that were retrieved."""
    return sum(hits) / relevant


def reciprocal_rank(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Return 1 / the rank of the first relevant document, else 0; its mean over the cases is MRR."""
    return next((1 / rank for rank, hit in enumerate(hits, 1) if hit), 0.0)


def ndcg(hits: Sequence[bool], relevant: int, k: int | None) -> float:
    """Return the gain discounted by log2 of the rank (Järvelin, Kekäläinen, ACM TOIS 20, 2002), over the best possible."""
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(relevant, k or relevant) + 1))
    return sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit) / best


def _retrieval_type(measure: Measure) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[TextListValue, CutoffConfig], _: ScorerDependencies) -> RetrievalScorer:
        return RetrievalScorer(*settings.base, settings.value.template, settings.known_threshold, measure, settings.config.k)

    return ScorerType(TextListValue, build, threshold=ThresholdRange(0, 1, default=DEFAULT_THRESHOLD), config=CutoffConfig)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "retrieval-precision": _retrieval_type(precision),
    "retrieval-recall": _retrieval_type(recall),
    "retrieval-mrr": _retrieval_type(reciprocal_rank),
    "retrieval-ndcg": _retrieval_type(ndcg),
}
