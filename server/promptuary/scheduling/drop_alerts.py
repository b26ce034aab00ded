"""Alerts of a scheduled run that dropped against earlier runs of its schedule, raised when the run finishes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.database import Session
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.evidence import Evidence
from promptuary.evaluation.execution.finished_run import FinishedRun, WriteOutcome
from promptuary.evaluation.plan import PASS, ResultFigures
from promptuary.evaluation.runs import store
from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.evaluation.verdict.comparison import SamplingDesign, metric_value
from promptuary.scheduling import alert_webhook
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.alert_webhook import alert_data
from promptuary.scheduling.drops import HISTORY_RUNS, MonitoredMetric, detect_drops
from promptuary.scheduling.store import Alert, Schedule
from promptuary.statistics.mean import repeat_means
from promptuary.statistics.verdict import Verdict
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.publication import WebhookEvent, publish


@dataclass(frozen=True)
class DropAlerts:
    """Raises alerts; implements `FinishedRunListener`."""

    def prepare(self, session: Session, finished: FinishedRun) -> WriteOutcome:
        """Compare the run with earlier runs of its schedule, and return what writes the alerts.

        A run without a schedule, and one with too many results without a verdict, raises no alert.
        """
        run = finished.run
        schedule = schedule_store.get_schedule(session, run.project, run.schedule) if run.schedule is not None else None
        if schedule is None or finished.summary.verdict is Verdict.INFRASTRUCTURE:
            return lambda _: None
        alerts = _alerts(session, finished, schedule)
        return lambda writing: _write(writing, finished, alerts, notify=schedule.webhook is not None)


def _write(session: Session, finished: FinishedRun, alerts: Sequence[Alert], *, notify: bool) -> None:
    """Write alerts with their audit entries; with `notify`, enqueue each for the schedule's webhook."""
    run = finished.run
    for alert in schedule_store.add_alerts(session, alerts):
        detail = {
            "schedule": alert.schedule,
            "model": alert.model,
            "metric": alert.metric,
            "interval": alert.interval.json_body(),
        }
        change = audit.Change(f"schedule:{alert.schedule}", "alert.raised", run.id, detail, finished.at)
        audit.append_entry(session, run.project, change)
        publish(session, run.project, WebhookEvent(EventType.ALERT_RAISED, alert.at, alert_data(alert)))
        if notify:
            outbox.enqueue(session, alert_webhook.TOPIC, {"alert": alert.id}, finished.at)


def _alerts(session: Session, finished: FinishedRun, schedule: Schedule) -> list[Alert]:
    run = finished.run
    metrics = run.plan.gated_metrics or (PASS,)
    means: dict[tuple[str, str], Mapping[str, Mapping[str, float]]] = {}

    def means_of(row: Evidence, metric: str) -> Mapping[str, float]:
        key = (row.run, row.variant)
        if key not in means:
            means[key] = _means(store.iterate_figures(session, *key), metrics)
        return means[key][metric]

    monitored: list[MonitoredMetric] = []
    versions: dict[str, tuple[str, set[str]]] = {}
    for row in finished.evidence:
        for metric in metrics:
            subject = row.model if row.target is None else row.target.name
            since = schedule_store.last_alert_run(session, run.project, schedule.name, subject, metric)
            history = evidence_store.evidence_history(session, row, schedule.name, since, HISTORY_RUNS)
            if history:
                versions[subject] = (_version_text(row), {_version_text(earlier) for earlier in history})
                earlier_means = [means_of(earlier, metric) for earlier in history]
                monitored.append(MonitoredMetric(subject, metric, means_of(row, metric), earlier_means))
    if not any(metric.is_comparable for metric in monitored):
        return []
    dataset = run.plan.dataset.id
    weights = dataset_store.list_weights(session, dataset)
    design = SamplingDesign(dataset_store.list_clusters(session, dataset), finished.order, weights)
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
            at=finished.at,
        )
        for drop in detect_drops(monitored, design, schedule.margin)
    ]


def _version_text(row: Evidence) -> str:
    """Return the version of the prompt or of the application; empty where nobody stated it."""
    return str(row.version) if row.target is None else ", ".join(row.target.versions)


def _version_note(version: str, earlier: set[str]) -> str:
    """Return a note that the history is of other versions, which is the first thing to look at."""
    stated = sorted(filter(None, earlier), key=lambda text: (len(text), text))
    if not version or version in earlier or not stated:
        return ""
    return f"; this is version {version}, those were of {', '.join(stated)}"


def _means(results: Iterable[ResultFigures], metrics: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Return each case's mean over its repeats, by metric and case; results without a value are left out."""
    values: dict[str, dict[str, list[float]]] = {metric: {} for metric in metrics}
    for result in results:
        for metric in metrics:
            value = metric_value(result, metric)
            if value is not None:
                values[metric].setdefault(result.case, []).append(value)
    return {metric: repeat_means(scores) for metric, scores in values.items()}
