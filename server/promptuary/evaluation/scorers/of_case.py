"""Which scorers a case is asked by: the suite's, and its own beside them, each built once however many cases ask the same."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.kind import ScorerParts
from promptuary.evaluation.scorers.registry import build
from promptuary.evaluation.scorers.score import Part, Sample, Score, Scorer
from promptuary.evaluation.scorers.sets import AssertSet
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.together import metrics, shown, together
from promptuary.prompt.errors import Invalid, PromptuaryError

KEPT = 512
"""How many scorers of cases are kept: memory does not grow with the cases."""


@dataclass(frozen=True)
class Asked:
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
class Judgement:
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

    async def score(self, sample: Sample) -> Score:
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
    own: Callable[[str], Asked] = field(default=lambda text: _built(text, None), repr=False)

    @classmethod
    def of(cls, specs: Iterable[ScorerSpec], parts: ScorerParts, threshold: float | None = None) -> "CaseScorers":
        """Build a suite's scorers, and what builds those of its cases.

        Raises:
            Invalid: as `build`, for a scorer of the suite; one of a case that cannot be built is that case's error.
        """
        return cls(
            tuple(build(spec, parts) for spec in specs), threshold, lru_cache(maxsize=KEPT)(lambda text: _built(text, parts))
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the suite's metrics, those inside sets too."""
        return tuple(dict.fromkeys(name for scorer in self.suite for name in _metrics(Asked(scorer, scorer.name))))

    def asked(self, case: Case) -> list[Asked]:
        """Give the scorers that a case is asked by, the suite's first."""
        suite = [Asked(scorer, scorer.name) for scorer in self.suite]
        return suite + [self.own(json.dumps(spec, sort_keys=True)) for spec in case.asserts]

    def names_of(self, case: Case) -> tuple[str, ...]:
        """Give the names of the metrics that a case has."""
        return tuple(dict.fromkeys(name for asked in self.asked(case) for name in _metrics(asked)))

    def judgement(self, case: Case, asked: Sequence[Asked], scores: Sequence[Score]) -> Judgement:
        """Put the answers together.

        Args:
            case: whose threshold, if it has one, goes before the suite's.
            asked: as `asked` gave them.
            scores: their answers, in the same order.
        """
        parts = [Part(score, one.scorer.weight, one.metric, one.own) for one, score in zip(asked, scores, strict=True)]
        passed, score = together(parts, self.threshold if case.threshold is None else case.threshold)
        labelled: dict[str, Mapping[str, object]] = {}
        for part in parts:
            labelled[_label(part.score.name, labelled)] = shown(part)
        return Judgement(passed, score, metrics(parts), labelled)


async def judged(scorers: CaseScorers, sample: Sample, score: Callable[[Scorer, Sample], Any]) -> Judgement:
    """Ask all scorers of the sample's case at once, and put their answers together.

    Args:
        scorers: of the run.
        sample: what they are asked about.
        score: asks one of them, and never raises.
    """
    asked = scorers.asked(sample.case)
    return scorers.judgement(sample.case, asked, await asyncio.gather(*(score(one.scorer, sample) for one in asked)))


def _built(text: str, parts: ScorerParts | None) -> Asked:
    raw: dict[str, Any] = json.loads(text)
    name, weight = raw.get("name"), raw.get("weight", 1.0)
    try:
        if parts is None:
            raise Invalid("scorers of cases are not taken here")
        return Asked(build(ScorerSpec.of_case(raw), parts), name, own=True)
    except (PromptuaryError, ValueError) as error:
        words = " ".join(str(error).split())
        return Asked(
            _Unbuilt(name or raw.get("type") or "scorer", weight, f"the scorer cannot be made: {words}"), name, own=True
        )


def _metrics(asked: Asked) -> tuple[str, ...]:
    inner = asked.scorer.metrics() if isinstance(asked.scorer, AssertSet) else ()
    return ((asked.metric,) if asked.metric is not None else ()) + inner


def _label(name: str, taken: Mapping[str, object]) -> str:
    if name not in taken:
        return name
    return next(label for number in range(2, len(taken) + 3) if (label := f"{name} {number}") not in taken)
