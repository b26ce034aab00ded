"""How several scores become one verdict with one score, and which metrics they add up to. The one place of this rule. Pure.

The rule is promptfoo's. The score is the weighted mean Σ wᵢsᵢ / Σ wᵢ; it is 0 where all weights are 0, and 1 where there is no
score at all. The verdict is a pass if no score with a weight failed; with a threshold the combined score decides.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptuary.evaluation.score_detail import ScoreDetail
from promptuary.evaluation.scorers.score import WeightedScore


@dataclass(frozen=True)
class Outcome:
    """A verdict with a score; both are None where a score with a weight is an error, the score alone where it is not finite."""

    passed: bool | None
    score: float | None


@dataclass(frozen=True)
class _Share:
    """What one score contributes to a metric."""

    weight: float
    score: float | None
    from_case: bool


def combine_scores(parts: Sequence[WeightedScore], threshold: float | None = None) -> Outcome:
    """Combine scores into one verdict with one score.

    Args:
        parts: the scores; those of weight 0 never fail the whole.
        threshold: the score from which on the whole passes, whatever single scores decide.
    """
    if not parts:
        return Outcome(True, 1.0)
    counting = [part for part in parts if part.weight > 0]
    score = _weighted_mean([(part.weight, part.score.score) for part in counting])
    return _decide(score, all(part.score.passed for part in counting), threshold)


def add_score(outcome: Outcome, weight: float, added: WeightedScore, threshold: float | None = None) -> Outcome:
    """Combine an earlier outcome with one more score, as if the score had been among the others.

    Args:
        outcome: of the other scores.
        weight: the sum of their weights.
        added: the further score; one of weight 0 changes nothing.
        threshold: as in `combine_scores`.
    """
    if added.weight == 0:
        return outcome
    if outcome.passed is None or added.score.passed is None:
        return Outcome(None, None)
    known = math.nan if outcome.score is None else outcome.score
    score = _weighted_mean([(weight, known), (added.weight, added.score.score)])
    return _decide(score, outcome.passed and added.score.passed, threshold)


def metric_scores(parts: Sequence[WeightedScore]) -> dict[str, float | None]:
    """Return each metric: the weighted mean of the scores with its name, those inside sets too.

    A metric is None where a score with a weight is an error. Where all its weights are 0, the suite's scores have their own
    mean, and a case's come to 0, as in promptfoo.
    """
    shares: dict[str, list[_Share]] = {}
    for part in parts:
        for metric, share in _shares_of(part):
            shares.setdefault(metric, []).append(share)
    return {metric: _finite(_metric(of_metric)) for metric, of_metric in shares.items()}


def score_json(part: WeightedScore) -> ScoreDetail:
    """Return a score as the JSON that is stored with a result and shown to people."""
    score = part.score
    body: ScoreDetail = {
        "passed": score.passed,
        "score": _finite(score.score),
        "reason": score.reason,
        "error": score.error,
    }
    if score.parts:
        body["parts"] = [{"name": inner.score.name, **score_json(inner)} for inner in score.parts]
    return body


def _shares_of(part: WeightedScore) -> Iterator[tuple[str, _Share]]:
    """Yield what a score contributes to metrics: its own, and those inside a set, by their share in the set times the set's."""
    if part.metric is not None:
        yield part.metric, _Share(part.weight, part.score.score, part.from_case)
    nested: dict[str, list[_Share]] = {}
    for inner in part.score.parts:
        for metric, share in _shares_of(inner):
            if metric != part.metric:
                nested.setdefault(metric, []).append(_Share(share.weight, share.score, part.from_case))
    for metric, shares in nested.items():
        weight = part.weight * sum(share.weight for share in shares)
        yield metric, _Share(weight, _metric(shares), part.from_case)


def _metric(shares: Sequence[_Share]) -> float | None:
    counting = [(share.weight, share.score) for share in shares if share.weight > 0]
    if not counting:
        if all(share.from_case for share in shares):
            return 0.0
        counting = [(1.0, share.score) for share in shares if not share.from_case]
    return _weighted_mean(counting)


def _weighted_mean(shares: Sequence[tuple[float, float | None]]) -> float | None:
    """Return the mean of scores by their weights; None where a score is missing, 0 where all weights are 0."""
    known = [(weight, score) for weight, score in shares if score is not None]
    if len(known) < len(shares):
        return None
    total = sum(weight for weight, _ in known)
    if not total:
        return 0.0
    mean = sum(weight * score for weight, score in known) / total
    if all(0 <= score <= 1 for _, score in known):
        return min(1.0, mean)  # the last digit of a mean of ones may be rounded up
    return mean


def _decide(score: float | None, all_passed: bool, threshold: float | None) -> Outcome:
    if score is None:
        return Outcome(None, None)
    return Outcome(all_passed if threshold is None else score >= threshold, _finite(score))


def _finite(score: float | None) -> float | None:
    """Return a score, or None for one that is not finite, which JSON and tables cannot have."""
    return score if score is not None and math.isfinite(score) else None
