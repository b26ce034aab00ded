"""When a run that may stop early stops: as soon as its gate is decided, by intervals valid at every interim analysis. Pure."""

from collections.abc import Sequence

from promptuary.evaluation.plan import CaseResult, Plan, ResultFigures
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import GateResult
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.case_order import CaseOrder, interim_analyses
from promptuary.evaluation.verdict.comparison import CaseClusters, MetricScores, SamplingDesign
from promptuary.evaluation.verdict.gate import judge_gate
from promptuary.statistics.verdict import Verdict

_DECIDED = frozenset({Verdict.PASS, Verdict.REGRESSION})


class EarlyStopMonitor:
    """Judges a run's gate at interim analyses, and reports when the gate is decided.

    Only units of the order whose results are all there count, and only those before the first incomplete one: results come in
    the order in which models answer, and quick answers may differ from slow ones.
    """

    def __init__(self, plan: Plan, suite: Suite, clusters: CaseClusters, order: CaseOrder) -> None:
        """Begin without any result."""
        self.order = order
        self._plan, self._suite, self._clusters = plan, suite, clusters
        self._metrics = tuple(dict.fromkeys(demand.metric for demand in suite.gate))
        self._aggregate = RunAggregate([variant.name for variant in plan.variants], plan.repeats, self._metrics)
        self._unit_of_case = {case: index for index, unit in enumerate(order.units) for case in unit}
        self._missing = [len(unit) * plan.per_case for unit in order.units]
        self._complete = 0
        self._decided = False
        self._analyses = iter(interim_analyses(len(order.units)))
        self._next_analysis = next(self._analyses)

    def add(self, results: Sequence[ResultFigures | CaseResult]) -> None:
        """Add results that are stored."""
        for result in results:
            self._aggregate.add(result)
            self._missing[self._unit_of_case[result.case]] -= 1
        while self._complete < len(self._missing) and self._missing[self._complete] == 0:
            self._complete += 1

    @property
    def is_decided(self) -> bool:
        """Whether the last interim analysis decided the gate."""
        return self._decided

    def analyse_if_due(self) -> bool:
        """Perform the interim analysis if it is due, and return whether the gate is decided.

        The gate is decided where every check is, or where one shows a regression; it then stays decided.
        """
        if self._decided or not self._suite.gate or self._complete < self._next_analysis:
            return self._decided
        while self._next_analysis <= self._complete:
            following = next(self._analyses, None)
            if following is None:
                break
            self._next_analysis = following
        verdicts = {result.verdict for result in self._judge()}
        self._decided = Verdict.REGRESSION in verdicts or verdicts <= _DECIDED
        return self._decided

    def reached(self) -> CaseOrder:
        """Return the order up to the first incomplete unit."""
        return CaseOrder(self.order.units[: self._complete])

    def _judge(self) -> list[GateResult]:
        reached = self.reached()
        cases = {case for unit in reached.units for case in unit}
        scores = {
            (variant.name, metric): _restrict(self._aggregate.variants[variant.name].scores(metric), cases)
            for variant in self._plan.variants
            for metric in self._metrics
        }
        return judge_gate(self._plan, self._suite, scores, SamplingDesign(self._clusters, reached))


def _restrict(scores: MetricScores, cases: set[str]) -> MetricScores:
    means = {case: mean for case, mean in scores.means.items() if case in cases}
    return MetricScores(means, scores.scored, scores.unscored)
