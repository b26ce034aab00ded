"""The scorers of a case: the suite's, and its own beside them, each built once however many cases have the same."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.score_detail import LabelledScores, ScoreDetail
from promptuary.evaluation.scorers.aggregate import combine_scores, metric_scores, score_json
from promptuary.evaluation.scorers.assert_set import AssertSet, EachTurn
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, WeightedScore, score_at_once
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.errors import Invalid, PromptuaryError

CACHED_SCORERS = 512
"""How many scorers of cases are cached, so that memory does not grow with the cases."""


@dataclass(frozen=True)
class AppliedScorer:
    """A scorer as it applies to a case.

    Attributes:
        scorer: the scorer.
        metric: the metric that it contributes to; None for a case's own scorer without a name, which is only shown.
        from_case: whether it is the case's own.
    """

    scorer: Scorer
    metric: str | None
    from_case: bool = False

    def weighted(self, score: Score) -> WeightedScore:
        """Return a score of the scorer with its weight and its metric."""
        return WeightedScore(score, self.scorer.weight, self.metric, self.from_case)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of its metric and of those inside it."""
        scorer = self.scorer.scorer if isinstance(self.scorer, EachTurn) else self.scorer
        nested = scorer.metrics() if isinstance(scorer, AssertSet) else ()
        return ((self.metric,) if self.metric is not None else ()) + nested


@dataclass(frozen=True)
class CombinedScore:
    """The scores of one output, combined.

    Attributes:
        passed: None where a score with a weight is an error.
        score: in [0, 1]; None as `passed`.
        metrics: by name; None where the metric is not known.
        labelled_scores: each score as JSON under a label of its own: the name or the type, with a number where that is taken.
    """

    passed: bool | None
    score: float | None
    metrics: dict[str, float | None]
    labelled_scores: LabelledScores


@dataclass(frozen=True)
class _UnbuiltScorer:
    """Stands for a scorer that cannot be built here: its score is an error, and the case has no verdict."""

    name: str
    weight: float
    error: str

    async def score(self, sample: ScorerInput) -> Score:
        raise Invalid(self.error)


@dataclass(frozen=True)
class CaseScorers:
    """The scorers of a run.

    Attributes:
        suite: the suite's, in its order; their names are metrics.
        threshold: the suite's; a case's own has precedence.
        case_scorer: builds a case's own scorer from its JSON.
    """

    suite: tuple[Scorer, ...] = ()
    threshold: float | None = None
    case_scorer: Callable[[str], AppliedScorer] = field(default=lambda text: _build_case_scorer(text, None), repr=False)

    @classmethod
    def build(
        cls, specs: Iterable[ScorerSpec], dependencies: ScorerDependencies, threshold: float | None = None
    ) -> "CaseScorers":
        """Build a suite's scorers.

        Raises:
            Invalid: as `build_scorer`, for a scorer of the suite; a case's scorer that cannot be built is that case's error.
        """
        cached = lru_cache(maxsize=CACHED_SCORERS)(lambda text: _build_case_scorer(text, dependencies))
        return cls(tuple(build_scorer(spec, dependencies) for spec in specs), threshold, cached)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of the suite's metrics, those inside sets too."""
        return tuple(dict.fromkeys(name for applied in self._of_suite for name in applied.metrics))

    def of_case(self, case: Case) -> list[AppliedScorer]:
        """Return the scorers that apply to a case, the suite's first."""
        return [*self._of_suite, *self.built(case.asserts)] if case.asserts else self._of_suite

    def built(self, asserts: Iterable[JsonObject]) -> list[AppliedScorer]:
        """Return the scorers of a case, or of a turn of it, from their JSON."""
        return [self.case_scorer(json.dumps(spec, sort_keys=True)) for spec in asserts]

    def metric_names_of(self, case: Case) -> tuple[str, ...]:
        """Return the names of a case's metrics, those of its turns too."""
        applied = self.of_case(case) + [scorer for turn in case.turns for scorer in self.built(turn.asserts)]
        return tuple(dict.fromkeys(name for each in applied for name in each.metrics))

    def combine(self, case: Case, applied: Sequence[AppliedScorer], scores: Sequence[Score]) -> CombinedScore:
        """Combine the scores of an output.

        Args:
            case: whose threshold, if it has one, has precedence over the suite's.
            applied: the scorers, as `of_case` returned them.
            scores: their scores, in the same order.
        """
        parts = [each.weighted(score) for each, score in zip(applied, scores, strict=True)]
        return combine_parts(parts, self.threshold if case.threshold is None else case.threshold)

    @cached_property
    def _of_suite(self) -> list[AppliedScorer]:
        return [AppliedScorer(scorer, scorer.name) for scorer in self.suite]


def combine_parts(parts: Sequence[WeightedScore], threshold: float | None) -> CombinedScore:
    """Combine scores with their weights and metrics; with a threshold, the combined score decides."""
    outcome = combine_scores(parts, threshold)
    labelled: dict[str, ScoreDetail] = {}
    for part in parts:
        labelled[_free_label(part.score.name, labelled)] = score_json(part)
    return CombinedScore(outcome.passed, outcome.score, metric_scores(parts), labelled)


async def score_output(
    scorers: CaseScorers, sample: ScorerInput, score: Callable[[Scorer, ScorerInput], Awaitable[Score]]
) -> CombinedScore:
    """Run all scorers of the output's case at once, and combine their scores.

    Args:
        scorers: of the run.
        sample: the output.
        score: runs one scorer that may wait; it never raises.
    """
    applied = scorers.of_case(sample.case)
    scores = [score_at_once(each.scorer, sample) for each in applied]
    waiting = [score(each.scorer, sample) for each, known in zip(applied, scores, strict=True) if known is None]
    if waiting:
        later = iter([await waiting[0]] if len(waiting) == 1 else await asyncio.gather(*waiting))
        scores = [next(later) if known is None else known for known in scores]
    return scorers.combine(sample.case, applied, [known for known in scores if known is not None])


def _build_case_scorer(text: str, dependencies: ScorerDependencies | None) -> AppliedScorer:
    body = json.loads(text)
    name = body.get("name")
    try:
        if dependencies is None:
            raise Invalid("scorers of cases are not taken here")
        return AppliedScorer(build_scorer(ScorerSpec.of_case(body), dependencies), name, from_case=True)
    except (PromptuaryError, ValueError) as error:
        message = f"the scorer cannot be built: {' '.join(str(error).split())}"
        unbuilt = _UnbuiltScorer(name or body.get("type") or "scorer", body.get("weight", 1.0), message)
        return AppliedScorer(unbuilt, name, from_case=True)


def _free_label(name: str, labels: Collection[str]) -> str:
    if name not in labels:
        return name
    return next(label for number in range(2, len(labels) + 3) if (label := f"{name} {number}") not in labels)
