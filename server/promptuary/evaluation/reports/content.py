"""The choices that all reports share: which metrics and comparisons they show, and the texts of verdicts."""

from collections.abc import Mapping

from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import Comparison, IntervalFigures, Summary, VariantSummary
from promptuary.statistics.verdict import Verdict

VERDICT_TEXTS: Mapping[Verdict, str] = {
    Verdict.PASS: "the gate is met",
    Verdict.REGRESSION: "the gate failed: a regression was shown",
    Verdict.INCONCLUSIVE: "not enough evidence either way",
    Verdict.INFRASTRUCTURE: "too many cases could not be run",
    Verdict.NO_GATE: "the suite has no gate, so nothing was demanded",
}
_ALWAYS = ("pass", "score")


def shown_metrics(summary: Summary) -> list[str]:
    """Return the metrics to show: the scorers', and `pass` where there are several scorers."""
    scorers = [name for name in summary.metrics if name not in _ALWAYS]
    return scorers if len(scorers) == 1 else [*scorers, "pass"]


def shown_intervals(summary: Summary, variant: VariantSummary) -> list[tuple[str, IntervalFigures]]:
    """Return the names and intervals of a variant's metrics to show; a metric without an interval is left out."""
    intervals = [(name, variant.metrics[name].interval) for name in shown_metrics(summary)]
    return [(name, interval) for name, interval in intervals if interval is not None]


def shown_comparisons(summary: Summary) -> list[tuple[Comparison, IntervalFigures]]:
    """Return the comparisons to show, each with its interval; a comparison without an interval is left out."""
    metrics = shown_metrics(summary)
    return [
        (comparison, comparison.interval)
        for comparison in summary.comparisons
        if comparison.interval is not None and comparison.metric in metrics
    ]


def stop_note(run: ReportedRun) -> str:
    """Return the note that a run had other cases than its suite, or stopped before its end; else empty."""
    return "; it ".join(filter(None, (_traffic_note(run), _part_note(run), _end_note(run))))


def _traffic_note(run: ReportedRun) -> str:
    traffic = run.traffic
    if traffic is None or run.dataset is None:
        return ""
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in traffic.dropped.items())
    left_out = f"; dropped: {dropped}, {traffic.dropped_share:.1%} of all calls by weight" if dropped else ""
    return (
        f"replayed {traffic.replayed:,} of {traffic.calls:,} sampled calls of production from {traffic.since} to "
        f"{traffic.until} as {run.dataset.cases:,} cases, weighted by how many calls each stands for{left_out}"
    )


def _part_note(run: ReportedRun) -> str:
    if run.part is None or run.dataset is None:
        return ""
    chosen = [f"those that failed in {run.part.failing_in}"] if run.part.failing_in else []
    chosen += [f"a random sample (seed {run.part.seed})"] if run.part.sample else []
    chosen += [f"those that are not erased ({run.part.erased:,} are)"] if run.part.erased else []
    how = f": {', of these '.join(chosen)}" if chosen else ""
    cases = f"{run.dataset.cases:,} of {run.part.cases:,} cases of {run.part.dataset} v{run.part.number}"
    return f"went through {cases} only{how}; so no gate is decided, and it is no evidence"


def _end_note(run: ReportedRun) -> str:
    if run.state == "stopped":
        return f"stopped after {run.done:,} of {run.total:,} results: {run.error}"
    if run.summary is None or not run.summary.stopped_early:
        return ""
    return f"stopped after {run.done:,} of {run.total:,} results, as soon as the gate was decided"
