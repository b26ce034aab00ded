"""Metrics of prompts in production: lookups, traffic, feedback, online scores, label moves, queues and the cost of runs.

Their labels are bounded.

Traffic is counted in SQL by the hour, for all servers together. Its metrics are gauges over the present hour with the one
before (`window="hour"`), and over the last 24 hours (`window="day"`): they are the same on each server and after a restart,
and a late call or an old counter that is removed never looks like a reset. Lookups are counters of this process.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from promptuary.access import store as access_store
from promptuary.api.lookup.fast_path import LookupCounts
from promptuary.core.database import Session
from promptuary.evaluation.runs import store as run_store
from promptuary.registry import label_store
from promptuary.review.queues import store as queue_store
from promptuary.traffic.figures.dimension import EPOCH, HOUR, TrafficPeriod
from promptuary.traffic.figures.figures import TrafficSums
from promptuary.traffic.figures.store import VersionTraffic, list_version_traffic
from promptuary.traffic.online import store as rule_store
from promptuary.traffic.online.score_store import OnlineScoreSums, OnlineVersion, sum_scores

if TYPE_CHECKING:
    from prometheus_client.core import Metric

VERSIONS_LIMIT = 50
"""The most versions with labels of their own; the others are summed under `other`."""
SCORERS_LIMIT = 10
"""The most online scorers of a version with metrics; further ones, by name, have none."""
QUEUES_LIMIT = 100
PROJECTS_LIMIT = 100
OTHER = "other"
UNKNOWN = ""
WINDOWS = {"hour": 2, "day": 24}
QUANTILES = (0.5, 0.95, 0.99)
DAY = timedelta(days=1)

Key = tuple[str, str, str]
"""The values of the labels project, prompt and version."""
_LABELS = ("project", "prompt", "version")
_READERS: tuple[tuple[str, str, Callable[[TrafficSums], float | None]], ...] = (
    ("calls", "Calls.", lambda sums: sums.calls),
    ("errors", "Calls that failed.", lambda sums: sums.errors),
    ("incomplete", "Streams that broke or were left.", lambda sums: sums.incomplete),
    (
        "input_tokens",
        "Input tokens of the calls that report them.",
        lambda sums: sums.input_tokens if sums.token_calls else None,
    ),
    (
        "output_tokens",
        "Output tokens of the calls that report them.",
        lambda sums: sums.output_tokens if sums.token_calls else None,
    ),
    ("cost_usd", "Cost of the calls that report one.", lambda sums: sums.cost if sums.cost_calls else None),
    ("feedback", "Feedback with a value.", lambda sums: sums.feedback),
    ("feedback_low", "Feedback with a low value.", lambda sums: sums.feedback_low),
    (
        "feedback_mean",
        "Mean of feedback, from 0 to 1.",
        lambda sums: sums.feedback_sum / sums.feedback if sums.feedback else None,
    ),
    ("replayable", "Calls that report the variables of their prompt.", lambda sums: sums.replayable),
)
_SCORE_READERS: tuple[tuple[str, str, Callable[[OnlineScoreSums], float | None]], ...] = (
    (
        "score_mean",
        "Mean online score, from 0 to 1, over what the sampled calls of 24 hours stand for.",
        lambda sums: sums.mean,
    ),
    ("scored_calls", "Sampled calls of 24 hours with an online score.", lambda sums: sums.scored),
    ("score_errors", "Sampled calls of 24 hours whose online scorer failed.", lambda sums: sums.errors),
    ("score_cost_usd", "Cost of the judges on the sampled calls of 24 hours.", lambda sums: sums.cost),
)


def production_metrics(session: Session, now: datetime, lookups: LookupCounts) -> "Iterator[Metric]":
    """Yield the metrics of all projects."""
    projects = _ProjectNames(session)
    yield _lookup_metric(projects, lookups)
    end = (now - EPOCH) // HOUR + 1
    traffic = {window: list_version_traffic(session, TrafficPeriod(end - hours, end)) for window, hours in WINDOWS.items()}
    yield from _traffic_metrics({window: _bounded(projects, versions) for window, versions in traffic.items()})
    yield from _score_metrics(session, projects, now, traffic["day"][:VERSIONS_LIMIT])
    yield _label_metric(session, projects, now)
    yield _queue_metric(session, projects)
    yield _cost_metric(session, projects, now)


class _ProjectNames:
    """The names of projects by number, each read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[int, str] = {}

    def __getitem__(self, number: int) -> str:
        if number not in self._names:
            project = access_store.get_project(self._session, number)
            self._names[number] = str(number) if project is None else project.name
        return self._names[number]


def _lookup_metric(projects: _ProjectNames, lookups: LookupCounts) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    help_text = "Lookups of a version that the fast path of this process answered; the versions with the most have labels."
    metric = CounterMetricFamily("promptuary_lookups", help_text, labels=_LABELS)
    counted = sorted(dict(lookups.by_version).items(), key=lambda item: -item[1])
    for (project, prompt, version), count in counted[:VERSIONS_LIMIT]:
        metric.add_metric((projects[project], prompt, str(version)), count)
    if counted[VERSIONS_LIMIT:]:
        metric.add_metric((OTHER, OTHER, OTHER), sum(count for _, count in counted[VERSIONS_LIMIT:]))
    return metric


def _traffic_metrics(windows: Mapping[str, dict[Key, TrafficSums]]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    for name, help_text, read in _READERS:
        metric = GaugeMetricFamily(f"promptuary_traffic_{name}", help_text, labels=(*_LABELS, "window"))
        for window, versions in windows.items():
            for key, sums in versions.items():
                value = read(sums)
                if value is not None:
                    metric.add_metric((*key, window), value)
        yield metric
    help_text = "Latency in seconds, read off a histogram with buckets that are each 1.41 times as wide as the one before."
    latency = GaugeMetricFamily("promptuary_traffic_latency_seconds", help_text, labels=(*_LABELS, "window", "quantile"))
    for window, versions in windows.items():
        for key, sums in versions.items():
            for quantile in QUANTILES:
                milliseconds = sums.latencies.quantile(quantile)
                if milliseconds is not None:
                    latency.add_metric((*key, window, str(quantile)), milliseconds / 1000)
    yield latency


def _bounded(projects: _ProjectNames, versions: Sequence[VersionTraffic]) -> dict[Key, TrafficSums]:
    """Return the sums by the labels: of the versions with the most calls, and of all others together."""
    bounded: dict[Key, TrafficSums] = {}
    for number, version in enumerate(versions):
        key: Key = (OTHER, OTHER, OTHER)
        if number < VERSIONS_LIMIT:
            number_text = UNKNOWN if version.version is None else str(version.version)
            key = (projects[version.project], version.prompt or UNKNOWN, number_text)
        bounded[key] = bounded[key] + version.sums if key in bounded else version.sums
    return bounded


def _score_metrics(
    session: Session, projects: _ProjectNames, now: datetime, versions: Sequence[VersionTraffic]
) -> "Iterator[Metric]":
    """Yield the online scores of versions, of prompts that have a rule with scorers."""
    from prometheus_client.core import GaugeMetricFamily

    rules = rule_store.all_rules(session)
    prompts = {(rule.project, rule.rule.prompt): rule.prompt_id for rule in rules if rule.rule.scoring is not None}
    sums: dict[tuple[str, str, str, str], OnlineScoreSums] = {}
    for traffic in versions:
        prompt, number = traffic.prompt or UNKNOWN, traffic.version
        prompt_id = prompts.get((traffic.project, prompt))
        if prompt_id is not None and number is not None:
            scores = sum_scores(session, OnlineVersion(traffic.project, prompt_id, number), now - DAY, now)
            for scorer in list(scores)[:SCORERS_LIMIT]:
                sums[projects[traffic.project], prompt, str(number), scorer] = scores[scorer]
    labels = (*_LABELS, "scorer")
    for name, help_text, read in _SCORE_READERS:
        metric = GaugeMetricFamily(f"promptuary_online_{name}", help_text, labels=labels)
        for key, each in sums.items():
            value = read(each)
            if value is not None:
                metric.add_metric(key, value)
        yield metric


def _label_metric(session: Session, projects: _ProjectNames, now: datetime) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    help_text = "Moves of labels in the last 24 hours: to a version, back to an earlier one, and removals."
    metric = GaugeMetricFamily("promptuary_label_moves", help_text, labels=("project", "kind"))
    for project, *counts in label_store.count_moves(session, now - DAY)[:PROJECTS_LIMIT]:
        for kind, count in zip(("move", "rollback", "removal"), counts, strict=True):
            metric.add_metric((projects[project], kind), count)
    return metric


def _queue_metric(session: Session, projects: _ProjectNames) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    metric = GaugeMetricFamily("promptuary_review_open_items", "Items that lack a decision.", labels=("project", "queue"))
    for project, queue, items in queue_store.count_open_items(session, QUEUES_LIMIT):
        metric.add_metric((projects[project], queue), items)
    return metric


def _cost_metric(session: Session, projects: _ProjectNames, now: datetime) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    help_text = "Cost in US dollars of the runs that were created in the last 24 hours."
    metric = GaugeMetricFamily("promptuary_run_cost_usd", help_text, labels=("project", "suite"))
    for project, suite, cost in run_store.sum_spent(session, now - DAY, QUEUES_LIMIT):
        metric.add_metric((projects[project], suite), cost)
    return metric
