"""When a run that may stop early may stop: as soon as its gate is decided, by intervals that are valid at every look. Pure."""

from collections.abc import Sequence
from typing import Any

from promptuary.evaluation.plan import CaseResult, Plan, ResultFigures
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.case_order import CaseOrder, interim_analyses
from promptuary.evaluation.verdict.comparison import CaseClusters, MetricScores
from promptuary.evaluation.verdict.gate import build_checks, judge_gate
from promptuary.statistics.verdict import Verdict

_DECIDED = frozenset({Verdict.PASS, Verdict.REGRESSION})


class EarlyStopMonitor:
    """Looks at a run's gate as results come, and says when it is decided.

    Only units of which every result is there count, and only those before the first that has one missing: results come in
    the order in which models answer, and quick answers need not be like slow ones.
    """

    def __init__(self, plan: Plan, suite: Suite, clusters: CaseClusters, order: CaseOrder) -> None:
        """Begin with no result."""
        self.order = order
        self._plan, self._suite, self._clusters = plan, suite, clusters
        self._metrics = tuple(dict.fromkeys(gate.metric for gate in suite.gate))
        self._tally = RunAggregate([variant.name for variant in plan.variants], plan.repeats, self._metrics)
        self._unit = {case: number for number, unit in enumerate(order.units) for case in unit}
        self._open = [len(unit) * plan.per_case for unit in order.units]
        self._complete = 0
        self._over = False
        self._looks = iter(interim_analyses(len(order.units)))
        self._next = next(self._looks)

    def add(self, results: Sequence[ResultFigures | CaseResult]) -> None:
        """Count results that are written."""
        for result in results:
            self._tally.add(result)
            self._open[self._unit[result.case]] -= 1
        while self._complete < len(self._open) and self._open[self._complete] == 0:
            self._complete += 1

    def decided(self) -> bool:
        """Look, if it is time to; True where every demand is decided, or one has shown a regression, and ever after."""
        if self._over or not self._suite.gate or self._complete < self._next:
            return self._over
        while self._next <= self._complete:
            following = next(self._looks, None)
            if following is None:
                break
            self._next = following
        verdicts = {Verdict(gate["verdict"]) for gate in self._judged()}
        self._over = Verdict.REGRESSION in verdicts or verdicts <= _DECIDED
        return self._over

    def reached(self) -> CaseOrder:
        """Give the order as far as all is done."""
        return CaseOrder(self.order.units[: self._complete])

    def _judged(self) -> list[dict[str, Any]]:
        seen = {case for unit in self.order.units[: self._complete] for case in unit}
        scores = {
            (variant.name, metric): _of(self._tally.variants[variant.name].scores(metric), seen)
            for variant in self._plan.variants
            for metric in self._metrics
        }
        return judge_gate(build_checks(self._plan, self._suite, self._clusters, scores, self.reached()))


def _of(scores: MetricScores, cases: set[str]) -> MetricScores:
    return MetricScores({case: mean for case, mean in scores.means.items() if case in cases}, scores.scored, scores.unscored)
