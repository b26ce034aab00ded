"""Which scorers a case is asked by: the suite's, and its own beside them, each built once however many cases ask the same."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.aggregate import combine_scores, metric_scores, score_json
from promptuary.evaluation.scorers.assert_set import AssertSet
from promptuary.evaluation.scorers.catalog import build_scorer
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, WeightedScore
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.errors import Invalid, PromptuaryError

CACHED_SCORERS = 512
"""How many scorers of cases are kept: memory does not grow with the cases."""


@dataclass(frozen=True)
class AppliedScorer:
    """A scorer as a case is asked by it.

    Attributes:
        scorer: answers.
        metric: what it adds to; None for one of the case's own that has no name, which is only shown.
        own: whether it is the case's own.
    """

    scorer: Scorer
    metric: str | None
    own: bool = False


@dataclass(frozen=True)
class CombinedScore:
    """What the answers on one output come to.

    Attributes:
        passed: None where an answer that counts is an error.
        score: in [0, 1]; None as `passed`.
        metrics: by name; None where it is not known.
        shown: each answer under a label of its own: the name or the type, and a number where that is taken.
    """

    passed: bool | None
    score: float | None
    metrics: dict[str, float | None]
    shown: dict[str, Mapping[str, object]]


@dataclass(frozen=True)
class _Unbuilt:
    """Stands for a scorer that cannot be made here; its answer is an error, and the case's verdict is open."""

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
        threshold: the suite's; a case's own goes before it.
        own: makes a case's own scorer from its JSON.
    """

    suite: tuple[Scorer, ...] = ()
    threshold: float | None = None
    own: Callable[[str], AppliedScorer] = field(default=lambda text: _built(text, None), repr=False)

    @classmethod
    def of(cls, specs: Iterable[ScorerSpec], parts: ScorerDependencies, threshold: float | None = None) -> "CaseScorers":
        """Build a suite's scorers, and what builds those of its cases.

        Raises:
            Invalid: as `build`, for a scorer of the suite; one of a case that cannot be built is that case's error.
        """
        return cls(
            tuple(build_scorer(spec, parts) for spec in specs),
            threshold,
            lru_cache(maxsize=CACHED_SCORERS)(lambda text: _built(text, parts)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the suite's metrics, those inside sets too."""
        return tuple(dict.fromkeys(name for scorer in self.suite for name in _metrics(AppliedScorer(scorer, scorer.name))))

    def asked(self, case: Case) -> list[AppliedScorer]:
        """Give the scorers that a case is asked by, the suite's first."""
        suite = [AppliedScorer(scorer, scorer.name) for scorer in self.suite]
        return suite + [self.own(json.dumps(spec, sort_keys=True)) for spec in case.asserts]

    def names_of(self, case: Case) -> tuple[str, ...]:
        """Give the names of the metrics that a case has."""
        return tuple(dict.fromkeys(name for asked in self.asked(case) for name in _metrics(asked)))

    def judgement(self, case: Case, asked: Sequence[AppliedScorer], scores: Sequence[Score]) -> CombinedScore:
        """Put the answers together.

        Args:
            case: whose threshold, if it has one, goes before the suite's.
            asked: as `asked` gave them.
            scores: their answers, in the same order.
        """
        parts = [WeightedScore(score, one.scorer.weight, one.metric, one.own) for one, score in zip(asked, scores, strict=True)]
        passed, score = combine_scores(parts, self.threshold if case.threshold is None else case.threshold)
        labelled: dict[str, Mapping[str, object]] = {}
        for part in parts:
            labelled[_label(part.score.name, labelled)] = score_json(part)
        return CombinedScore(passed, score, metric_scores(parts), labelled)


async def score_output(scorers: CaseScorers, sample: ScorerInput, score: Callable[[Scorer, ScorerInput], Any]) -> CombinedScore:
    """Ask all scorers of the sample's case at once, and put their answers together.

    Args:
        scorers: of the run.
        sample: what they are asked about.
        score: asks one of them, and never raises.
    """
    asked = scorers.asked(sample.case)
    return scorers.judgement(sample.case, asked, await asyncio.gather(*(score(one.scorer, sample) for one in asked)))


def _built(text: str, parts: ScorerDependencies | None) -> AppliedScorer:
    raw: dict[str, Any] = json.loads(text)
    name, weight = raw.get("name"), raw.get("weight", 1.0)
    try:
        if parts is None:
            raise Invalid("scorers of cases are not taken here")
        return AppliedScorer(build_scorer(ScorerSpec.of_case(raw), parts), name, own=True)
    except (PromptuaryError, ValueError) as error:
        words = " ".join(str(error).split())
        return AppliedScorer(
            _Unbuilt(name or raw.get("type") or "scorer", weight, f"the scorer cannot be made: {words}"), name, own=True
        )


def _metrics(asked: AppliedScorer) -> tuple[str, ...]:
    inner = asked.scorer.metrics() if isinstance(asked.scorer, AssertSet) else ()
    return ((asked.metric,) if asked.metric is not None else ()) + inner


def _label(name: str, taken: Mapping[str, object]) -> str:
    if name not in taken:
        return name
    return next(label for number in range(2, len(taken) + 3) if (label := f"{name} {number}") not in taken)
