"""What a run leaves beside its summary: evidence of each candidate, and alerts where a scheduled run dropped.

It is worked out before the transaction that finishes the run, which then only writes it: nobody waits for the reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.database import Session
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.evidence import build_evidence
from promptuary.evaluation.evidence.store import Evidence
from promptuary.evaluation.plan import PASS, ResultFigures
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import metric_value
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


def conclude(session: Session, run: Run, summary: Mapping[str, Any], at: datetime, order: CaseOrder | None) -> Conclusion:
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
    if schedule is None or summary["verdict"] == Verdict.INFRASTRUCTURE:
        return Conclusion(evidence, [])
    return Conclusion(evidence, _alerts(session, run, schedule, evidence, at, order), schedule.webhook is not None)


def record_conclusion(session: Session, run: Run, conclusion: Conclusion, at: datetime) -> None:
    """Write what a run leaves, in the transaction that finishes it."""
    evidence_store.add_evidence(session, conclusion.evidence)
    for alert in schedule_store.add_alerts(session, conclusion.alerts):
        detail = {"schedule": alert.schedule, "model": alert.model, "metric": alert.metric, "interval": alert.interval}
        audit.append_entry(session, run.project, f"schedule:{alert.schedule}", "alert.raised", run.id, detail, at)
        if conclusion.webhook:
            outbox.enqueue(session, alert_webhook.TOPIC, {"alert": alert.id}, at)


def _alerts(
    session: Session, run: Run, schedule: Schedule, evidence: Sequence[Evidence], at: datetime, order: CaseOrder | None
) -> list[Alert]:
    metrics = list(dict.fromkeys(gate["metric"] for gate in run.plan.suite["gate"])) or [PASS]
    scores: dict[tuple[str, str], Mapping[str, Mapping[str, float]]] = {}

    def means(row: Evidence, metric: str) -> Mapping[str, float]:
        place = (row.run, row.variant)
        if place not in scores:
            scores[place] = _means(store.iterate_figures(session, *place), metrics)
        return scores[place][metric]

    watched: list[MonitoredMetric] = []
    versions: dict[str, tuple[int, set[int]]] = {}
    for row in evidence:
        for metric in metrics:
            since = schedule_store.last_alert_run(session, run.project, schedule.name, row.model, metric)
            earlier = evidence_store.evidence_history(session, row, schedule.name, since, HISTORY_RUNS)
            if earlier:
                versions[row.model] = (row.version, {one.version for one in earlier})
                watched.append(MonitoredMetric(row.model, metric, means(row, metric), [means(one, metric) for one in earlier]))
    if not any(one.tells for one in watched):
        return []
    clusters = store.list_clusters(session, run.plan.dataset.id)
    return [
        Alert(
            id=0,
            project=run.project,
            schedule=schedule.name,
            suite=run.suite,
            run=run.id,
            model=drop.watched.model,
            metric=drop.watched.metric,
            interval=asdict(drop.interval),
            sentence=drop.sentence(schedule.name, schedule.margin, _changed(*versions[drop.watched.model])),
            at=at,
        )
        for drop in detect_drops(watched, clusters, schedule.margin, order)
    ]


def _changed(now: int, before: set[int]) -> str:
    """Say that those runs were of other versions, which is the first thing to look at."""
    return "" if now in before else f"; this is version {now}, those were of {', '.join(map(str, sorted(before)))}"


def _means(results: Iterable[ResultFigures], metrics: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Average each case's repeats on each metric; what is not known is left out."""
    known: dict[str, dict[str, list[float]]] = {metric: {} for metric in metrics}
    for result in results:
        for metric in metrics:
            value = metric_value(result, metric)
            if value is not None:
                known[metric].setdefault(result.case, []).append(value)
    return {metric: repeat_means(values) for metric, values in known.items()}
