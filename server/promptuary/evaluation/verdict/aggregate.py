"""A run's results counted as they are read: of each only its figures are kept, 8 bytes a metric. Pure."""

import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptuary.evaluation.plan import PASS, SCORE, CaseResult, ResultFigures
from promptuary.evaluation.verdict.comparison import MetricScores
from promptuary.statistics.mean import known_mean

EXTRA_METRICS_LIMIT = 100
_UNKNOWN = math.nan


class CaseMeans(Mapping[str, float]):
    """A mean a case, in the order in which the cases came; a case that was not scored is not in it."""

    def __init__(self, places: Mapping[str, int], means: "array[float]") -> None:
        """Keep the place of each case, and the means by place, NaN where there is none."""
        self._places = places
        self._means = means
        self._count = sum(1 for one in means if one == one)

    def __getitem__(self, case: str) -> float:
        place = self._places[case]
        found = self._means[place] if place < len(self._means) else _UNKNOWN
        if found != found:
            raise KeyError(case)
        return found

    def __iter__(self) -> Iterator[str]:
        return (case for case, one in zip(self._places, self._means, strict=False) if one == one)

    def __len__(self) -> int:
        return self._count


class VariantAggregate:
    """What one variant's results came to.

    Attributes:
        results: how many there are.
        errors: those without an output.
        unrunnable: those without a verdict.
        lost: those that are unrunnable, or not scored on what the gate asks for.
    """

    def __init__(self, places: Mapping[str, int], repeats: int, metrics: Sequence[str]) -> None:
        """Keep the places of cases, which the run's tally gives out, and make room for each metric."""
        self.results = self.errors = self.unrunnable = self.lost = 0
        self._places = places
        self._repeats = repeats
        self._values = {metric: array("d") for metric in metrics}
        self._unscored = dict.fromkeys(metrics, 0)
        self._scored: dict[str, int] = {}  # of metrics that only some cases have
        self._times, self._costs = array("d"), array("d")
        self._tokens: list[int] | None = None

    def add(self, place: int, result: ResultFigures | CaseResult, asked: Iterable[str], more: Collection[str] = ()) -> None:
        """Count a result of the case at a place; `more` are the metrics that only some cases have."""
        for metric in more:
            if metric in result.metrics and metric not in self._values:
                self._values[metric], self._unscored[metric], self._scored[metric] = array("d"), 0, 0
        self.results += 1
        self.errors += result.error is not None
        unrunnable = result.unrunnable
        self.unrunnable += unrunnable
        at = place * self._repeats + result.repeat
        known = {PASS: None if result.passed is None else float(result.passed), SCORE: result.score, **result.metrics}
        for metric, values in self._values.items():
            value = known.get(metric)
            if metric in self._scored:
                if metric not in known:
                    continue
                self._scored[metric] += value is not None
            if value is None:
                self._unscored[metric] += 1
                continue
            if at >= len(values):
                values.extend([_UNKNOWN] * (at + 1 - len(values)))
            values[at] = value
        self.lost += unrunnable or any(known.get(metric) is None for metric in asked)
        if result.latency_ms is not None:
            self._times.append(result.latency_ms)
        if result.tokens_input is not None:
            before = self._tokens or [0, 0]
            self._tokens = [before[0] + result.tokens_input, before[1] + (result.tokens_output or 0)]
        if result.cost is not None:
            self._costs.append(result.cost)

    def scores(self, metric: str) -> MetricScores:
        """Give the scores on a metric: each case's repeats averaged, what is not known left out and counted."""
        means = self._values.get(metric, array("d"))
        if self._repeats > 1:
            cases = (known_mean(means[at : at + self._repeats]) for at in range(0, len(means), self._repeats))
            means = array("d", (_UNKNOWN if mean is None else mean for mean in cases))
        unscored = self._unscored.get(metric, 0)
        scored = self._scored.get(metric, self.results - unscored if metric in self._values else 0)
        return MetricScores(CaseMeans(self._places, means), scored, unscored)

    def figures(self) -> dict[str, Any]:
        """Give counts, times, tokens and cost as JSON values."""
        times = sorted(self._times)
        return {
            "results": self.results,
            "errors": self.errors,
            "unrunnable": self.unrunnable,
            "latency_ms": {"median": times[len(times) // 2], "slowest": times[-1]} if times else None,
            "tokens": {"input": self._tokens[0], "output": self._tokens[1]} if self._tokens else None,
            "cost": math.fsum(self._costs) if self._costs else None,
        }


class RunAggregate:
    """What all variants' results came to, each by its name.

    Attributes:
        variants: by name.
        places: the cases in the order in which they came.
        more: metrics of cases' own scorers, in the order in which they came; at most `EXTRA_METRICS_LIMIT`.
        left_out: metrics of cases' own scorers beyond those.
    """

    def __init__(self, variants: Iterable[str], repeats: int, metrics: Sequence[str], asked: Iterable[str] = ()) -> None:
        """Make room for what will be added; `asked` are the metrics that a gate asks for."""
        self.places: dict[str, int] = {}
        self.variants = {name: VariantAggregate(self.places, repeats, metrics) for name in variants}
        self.more: dict[str, None] = {}
        self.left_out: set[str] = set()
        self._listed = frozenset(metrics)
        self._asked = frozenset(asked)

    @classmethod
    def of(
        cls,
        results: Iterable[ResultFigures | CaseResult],
        variants: Iterable[str],
        repeats: int,
        metrics: Sequence[str],
        asked: Iterable[str] = (),
    ) -> "RunAggregate":
        """Count results as they come."""
        tally = cls(variants, repeats, metrics, asked)
        for result in results:
            tally.add(result)
        return tally

    def add(self, result: ResultFigures | CaseResult) -> None:
        """Count a result; one of a variant that is not counted is left out, but its case is known."""
        place = self.places.setdefault(result.case, len(self.places))
        own = self.variants.get(result.variant)
        if own is not None:
            for metric in result.metrics:
                if metric not in self._listed and metric not in self.more:
                    if len(self.more) < EXTRA_METRICS_LIMIT:
                        self.more[metric] = None
                    else:
                        self.left_out.add(metric)
            own.add(place, result, self._asked, self.more)
