"""Parts of a run's summary, for tests that need one and not its figures."""

from promptuary.evaluation.summary_model import IntervalFigures, Summary
from promptuary.statistics.verdict import Verdict


def make_interval(estimate: float = -1.0, low: float = -1.0, high: float = -1.0, n: int = 8) -> IntervalFigures:
    """Make an interval of independent cases."""
    return IntervalFigures(estimate=estimate, low=low, high=high, level=0.95, method="t", n=n, clusters=None)


def make_empty_summary(verdict: Verdict) -> Summary:
    """Make a summary with a verdict and without any variant."""
    return Summary(
        verdict=verdict,
        metrics=(),
        cases=0,
        results=0,
        errors=0,
        unrunnable=0,
        infrastructure=False,
        variants=(),
        comparisons=(),
        gates=(),
    )
