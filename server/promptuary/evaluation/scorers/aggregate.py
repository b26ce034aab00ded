"""How several answers become one verdict and one score, and what metrics they come to: of a case, and of a set in it. Pure.

The rule is promptfoo's. The score is the mean of the scores by their weights, Σ wᵢsᵢ / Σ wᵢ; it is 0 where nothing weighs
anything, and 1 where nothing is asked at all. It passes if no answer that counts failed; with a threshold the score decides.
"""

from collections.abc import Iterator, Mapping, Sequence

from promptuary.evaluation.scorers.score import WeightedScore


def combine_scores(parts: Sequence[WeightedScore], threshold: float | None = None) -> tuple[bool | None, float | None]:
    """Give verdict and score, in [0, 1]; both are None where an answer that counts is an error.

    Args:
        parts: the answers; those of weight 0 never fail it.
        threshold: the score from which on it passes, whatever single answers say.
    """
    if not parts:
        return True, 1.0
    counting = [part for part in parts if part.weight > 0]
    known = [(part.weight, part.score.score) for part in counting if part.score.score is not None]
    if len(known) < len(counting):
        return None, None
    score = min(1.0, max(0.0, _mean(known)))
    if threshold is not None:
        return score >= threshold, score
    return all(part.score.passed for part in counting), score


def metric_scores(parts: Sequence[WeightedScore]) -> dict[str, float | None]:
    """Give each metric: the weighted mean of the answers with its name, those inside sets too.

    It is None where one that counts is an error. Where none of them weighs anything, the suite's show their own mean; a
    case's own come to 0, as promptfoo has it.
    """
    named: dict[str, list[tuple[float, float | None, bool]]] = {}
    for part in parts:
        for metric, weight, score in _named(part):
            named.setdefault(metric, []).append((weight, score, part.own))
    return {metric: _metric(answers) for metric, answers in named.items()}


def score_json(part: WeightedScore) -> Mapping[str, object]:
    """Give an answer as people look at it."""
    score = part.score
    body: dict[str, object] = {"passed": score.passed, "score": score.score, "reason": score.reason, "error": score.error}
    if score.parts:
        body["parts"] = [{"name": inner.score.name, **score_json(inner)} for inner in score.parts]
    return body


def _named(part: WeightedScore) -> Iterator[tuple[str, float, float | None]]:
    """Give what an answer adds to metrics: its own, and those of a set's answers by their share in the set, times the set's."""
    if part.metric is not None:
        yield part.metric, part.weight, part.score.score
    inner: dict[str, list[tuple[float, float | None, bool]]] = {}
    for one in part.score.parts:
        for metric, weight, score in _named(one):
            if metric != part.metric:
                inner.setdefault(metric, []).append((weight, score, part.own))
    for metric, answers in inner.items():
        yield metric, part.weight * sum(weight for weight, _, _ in answers), _metric(answers)


def _metric(answers: Sequence[tuple[float, float | None, bool]]) -> float | None:
    counting = [(weight, score) for weight, score, _ in answers if weight > 0]
    if not counting:
        if all(own for _, _, own in answers):
            return 0.0
        counting = [(1.0, score) for _, score, own in answers if not own]
    known = [(weight, score) for weight, score in counting if score is not None]
    return _mean(known) if len(known) == len(counting) else None


def _mean(known: Sequence[tuple[float, float]]) -> float:
    whole = sum(weight for weight, _ in known)
    return sum(weight * score for weight, score in known) / whole if whole else 0.0
