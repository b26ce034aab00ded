"""The results of a run aggregated as they are read: 8 bytes for each value of a metric, and no result is kept. Pure."""

import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from promptuary.evaluation.plan import PASS, SCORE, CaseResult, ResultFigures
from promptuary.evaluation.summary_model import LatencyFigures, TokenFigures
from promptuary.evaluation.verdict.comparison import MetricScores
from promptuary.statistics.mean import known_mean

EXTRA_METRICS_LIMIT = 100
"""The most metrics of single cases' scorers in one run."""
_UNKNOWN = math.nan


class CaseMeans(Mapping[str, float]):
    """The mean of each case by its id, in the order of the cases; a case without a score is not in it."""

    def __init__(self, positions: Mapping[str, int], means: "array[float]") -> None:
        """Keep the position of each case and the means by position, NaN where there is none."""
        self._positions = positions
        self._means = means
        self._count = sum(1 for value in means if not math.isnan(value))

    def __getitem__(self, case: str) -> float:
        position = self._positions[case]
        value = self._means[position] if position < len(self._means) else _UNKNOWN
        if math.isnan(value):
            raise KeyError(case)
        return value

    def __iter__(self) -> Iterator[str]:
        return (case for case, value in zip(self._positions, self._means, strict=False) if not math.isnan(value))

    def __len__(self) -> int:
        return self._count


class VariantAggregate:
    """The aggregated results of one variant.

    Attributes:
        results: the number of results.
        errors: the number of results without an output.
        unrunnable: the number of results without a verdict.
        lost: the number of results that are unrunnable, or have no value on a metric that the gate names.
    """

    def __init__(self, positions: Mapping[str, int], repeats: int, metrics: Sequence[str]) -> None:
        """Keep the cases' positions, which the run's aggregate assigns, and make room for each metric."""
        self.results = self.errors = self.unrunnable = self.lost = 0
        self._positions = positions
        self._repeats = repeats
        self._values = {metric: array("d") for metric in metrics}
        self._unscored = dict.fromkeys(metrics, 0)
        self._scored: dict[str, int] = {}  # of the metrics that only some cases have
        self._latencies, self._costs = array("d"), array("d")
        self._tokens: tuple[int, int] | None = None

    def add(
        self, position: int, result: ResultFigures | CaseResult, gated: Iterable[str], extra_metrics: Collection[str] = ()
    ) -> None:
        """Add a result.

        Args:
            position: of the result's case.
            result: of this variant.
            gated: the metrics that the gate names.
            extra_metrics: the metrics that only some cases have.
        """
        for metric in extra_metrics:
            if metric in result.metrics and metric not in self._values:
                self._values[metric], self._unscored[metric], self._scored[metric] = array("d"), 0, 0
        self.results += 1
        self.errors += result.error is not None
        self.unrunnable += result.unrunnable
        known = {PASS: None if result.passed is None else float(result.passed), SCORE: result.score, **result.metrics}
        for metric in self._values:
            if metric in known or metric not in self._scored:
                self._add_value(metric, position * self._repeats + result.repeat, known.get(metric))
        self.lost += result.unrunnable or any(known.get(metric) is None for metric in gated)
        self._add_effort(result)

    def scores(self, metric: str) -> MetricScores:
        """Return the scores on a metric: each case's mean over its repeats; results without a value are counted."""
        means = self._values.get(metric, array("d"))
        if self._repeats > 1:
            cases = (known_mean(means[at : at + self._repeats]) for at in range(0, len(means), self._repeats))
            means = array("d", (_UNKNOWN if mean is None else mean for mean in cases))
        unscored = self._unscored.get(metric, 0)
        scored = self._scored.get(metric, self.results - unscored if metric in self._values else 0)
        return MetricScores(CaseMeans(self._positions, means), scored, unscored)

    def unit_values(self, metric: str) -> Iterator[tuple[tuple[str, int], float]]:
        """Yield the case's id and the repeat of each result that has a value on a metric, with the value."""
        cases = tuple(self._positions)
        for index, value in enumerate(self._values.get(metric, ())):
            if not math.isnan(value):
                yield (cases[index // self._repeats], index % self._repeats), value

    @property
    def latency_ms(self) -> LatencyFigures | None:
        """The median and the largest latency; None where no result has one."""
        latencies = sorted(self._latencies)
        return LatencyFigures(median=latencies[len(latencies) // 2], slowest=latencies[-1]) if latencies else None

    @property
    def tokens(self) -> TokenFigures | None:
        """The sums of tokens; None where no result has any."""
        return None if self._tokens is None else TokenFigures(input=self._tokens[0], output=self._tokens[1])

    @property
    def cost(self) -> float | None:
        """The sum of the known costs in US dollars; None where none is known."""
        return math.fsum(self._costs) if self._costs else None

    def _add_value(self, metric: str, index: int, value: float | None) -> None:
        if metric in self._scored:
            self._scored[metric] += value is not None
        if value is None:
            self._unscored[metric] += 1
            return
        values = self._values[metric]
        if index >= len(values):
            values.extend([_UNKNOWN] * (index + 1 - len(values)))
        values[index] = min(1.0, max(0.0, value))  # statistics know the range of scores; only JavaScript's may lie beyond it

    def _add_effort(self, result: ResultFigures | CaseResult) -> None:
        if result.latency_ms is not None:
            self._latencies.append(result.latency_ms)
        if result.tokens_input is not None:
            before = self._tokens or (0, 0)
            self._tokens = (before[0] + result.tokens_input, before[1] + (result.tokens_output or 0))
        if result.cost is not None:
            self._costs.append(result.cost)


class RunAggregate:
    """The aggregated results of all variants of a run.

    Attributes:
        variants: by the variant's name.
        positions: the position of each case by its id, in the order in which the cases came.
        extra_metrics: the metrics of single cases' scorers, in the order in which they came; at most `EXTRA_METRICS_LIMIT`.
        left_out: the metrics of single cases' scorers beyond the limit.
    """

    def __init__(self, variants: Iterable[str], repeats: int, metrics: Sequence[str], gated: Iterable[str] = ()) -> None:
        """Make room for the results.

        Args:
            variants: the variants' names; results of others are left out.
            repeats: of each case under each variant.
            metrics: those that every case has.
            gated: those that the gate names.
        """
        self.positions: dict[str, int] = {}
        self.variants = {name: VariantAggregate(self.positions, repeats, metrics) for name in variants}
        self.extra_metrics: dict[str, None] = {}
        self.left_out: set[str] = set()
        self._metrics = frozenset(metrics)
        self._gated = frozenset(gated)

    @classmethod
    def of(
        cls,
        results: Iterable[ResultFigures | CaseResult],
        variants: Iterable[str],
        repeats: int,
        metrics: Sequence[str],
        gated: Iterable[str] = (),
    ) -> "RunAggregate":
        """Aggregate results, which are read once; the other arguments are those of the class."""
        aggregate = cls(variants, repeats, metrics, gated)
        for result in results:
            aggregate.add(result)
        return aggregate

    def add(self, result: ResultFigures | CaseResult) -> None:
        """Add a result; of one whose variant is left out, only the case is noted."""
        position = self.positions.setdefault(result.case, len(self.positions))
        variant = self.variants.get(result.variant)
        if variant is None:
            return
        for metric in result.metrics:
            if metric not in self._metrics and metric not in self.extra_metrics:
                if len(self.extra_metrics) < EXTRA_METRICS_LIMIT:
                    self.extra_metrics[metric] = None
                else:
                    self.left_out.add(metric)
        variant.add(position, result, self._gated, self.extra_metrics)
