"""What a run leaves beside its summary: evidence of each candidate, and alerts where a scheduled run dropped.

It is worked out before the transaction that finishes the run, which then only writes it: nobody waits for the reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.database import Session
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.builder import build_evidence
from promptuary.evaluation.evidence.evidence import Evidence
from promptuary.evaluation.plan import PASS, ResultFigures
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.summary_model import IntervalFigures, Summary
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import SamplingDesign, metric_value
from promptuary.scheduling import alert_webhook
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.drops import HISTORY_RUNS, MonitoredMetric, detect_drops
from promptuary.scheduling.store import Alert, Schedule
from promptuary.statistics.mean import repeat_means
from promptuary.statistics.verdict import Verdict


@dataclass(frozen=True)
class Conclusion:
    """What is written with a run's end."""

    evidence: Sequence[Evidence]
    alerts: Sequence[Alert]
    webhook: bool = False


def conclude(session: Session, run: Run, summary: Summary, at: datetime, order: CaseOrder | None) -> Conclusion:
    """Work out what a run leaves, from its results, which are all there, and from earlier runs of its schedule.

    Args:
        session: reads only.
        run: not finished yet.
        summary: of it.
        at: when it finishes.
        order: of the cases of a run that may stop early.
    """
    held = evidence_store.collection_digests(session, run.project, (variant.collection for variant in run.plan.variants))
    evidence = build_evidence(run, summary, held, at, evidence_store.case_asserts(session, run.plan.dataset.id))
    schedule = schedule_store.get_schedule(session, run.project, run.schedule) if run.schedule is not None else None
    if schedule is None or summary.verdict is Verdict.INFRASTRUCTURE:
        return Conclusion(evidence, [])
    return Conclusion(evidence, _alerts(session, run, schedule, evidence, at, order), schedule.webhook is not None)


def record_conclusion(session: Session, run: Run, conclusion: Conclusion, at: datetime) -> None:
    """Write what a run leaves, in the transaction that finishes it."""
    evidence_store.add_evidence(session, conclusion.evidence)
    for alert in schedule_store.add_alerts(session, conclusion.alerts):
        detail = {
            "schedule": alert.schedule,
            "model": alert.model,
            "metric": alert.metric,
            "interval": alert.interval.json_body(),
        }
        audit.append_entry(session, run.project, f"schedule:{alert.schedule}", "alert.raised", run.id, detail, at)
        if conclusion.webhook:
            outbox.enqueue(session, alert_webhook.TOPIC, {"alert": alert.id}, at)


def _alerts(
    session: Session, run: Run, schedule: Schedule, evidence: Sequence[Evidence], at: datetime, order: CaseOrder | None
) -> list[Alert]:
    metrics = run.plan.gated_metrics or (PASS,)
    means: dict[tuple[str, str], Mapping[str, Mapping[str, float]]] = {}

    def means_of(row: Evidence, metric: str) -> Mapping[str, float]:
        key = (row.run, row.variant)
        if key not in means:
            means[key] = _means(store.iterate_figures(session, *key), metrics)
        return means[key][metric]

    monitored: list[MonitoredMetric] = []
    versions: dict[str, tuple[int, set[int]]] = {}
    for row in evidence:
        for metric in metrics:
            since = schedule_store.last_alert_run(session, run.project, schedule.name, row.model, metric)
            history = evidence_store.evidence_history(session, row, schedule.name, since, HISTORY_RUNS)
            if history:
                versions[row.model] = (row.version, {earlier.version for earlier in history})
                earlier_means = [means_of(earlier, metric) for earlier in history]
                monitored.append(MonitoredMetric(row.model, metric, means_of(row, metric), earlier_means))
    if not any(metric.is_comparable for metric in monitored):
        return []
    design = SamplingDesign(store.list_clusters(session, run.plan.dataset.id), order)
    return [
        Alert(
            id=0,
            project=run.project,
            schedule=schedule.name,
            suite=run.suite,
            run=run.id,
            model=drop.monitored.model,
            metric=drop.monitored.metric,
            interval=IntervalFigures.model_validate(drop.interval),
            sentence=drop.sentence(schedule.name, schedule.margin, _version_note(*versions[drop.monitored.model])),
            at=at,
        )
        for drop in detect_drops(monitored, design, schedule.margin)
    ]


def _version_note(version: int, earlier: set[int]) -> str:
    """Return a note that the history is of other versions, which is the first thing to look at."""
    if version in earlier:
        return ""
    return f"; this is version {version}, those were of {', '.join(map(str, sorted(earlier)))}"


def _means(results: Iterable[ResultFigures], metrics: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Return each case's mean over its repeats, by metric and case; results without a value are left out."""
    values: dict[str, dict[str, list[float]]] = {metric: {} for metric in metrics}
    for result in results:
        for metric in metrics:
            value = metric_value(result, metric)
            if value is not None:
                values[metric].setdefault(result.case, []).append(value)
    return {metric: repeat_means(scores) for metric, scores in values.items()}
