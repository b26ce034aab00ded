"""`/metrics` for Prometheus: counted in SQL at each request, over all projects, with few labels.

The figures of all projects belong to the operator, so the route needs an operator's key (Prometheus sends it by
`authorization:` with `credentials:`), unless PROMPTUARY_METRICS_OPEN declares that the network is protected already.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from promptuary.access.auth.authentication import authenticate_request
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller
from promptuary.api.production_metrics import production_metrics
from promptuary.api.request_metrics import BUCKET_BOUNDS, RequestMetrics
from promptuary.context.retrieval import CHROMA_TOPIC as CHROMA
from promptuary.core import outbox
from promptuary.core.database import Session
from promptuary.core.errors import NotAuthenticated
from promptuary.evaluation.runs import store
from promptuary.operations.store import count_parked
from promptuary.registry.similarity import PROMPTS_TOPIC as PROMPTS
from promptuary.release import __version__
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.alert_webhook import TOPIC as WEBHOOK
from promptuary.webhooks.publication import TOPIC as WEBHOOK_DELIVERIES

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LATE = timedelta(minutes=1)
SERIES_LIMIT = 1000
MLFLOW = "mlflow"
router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return the service's metrics in Prometheus' text format; this needs an operator's key, unless a setting opens it."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    state = request.app.state
    if not state.settings.metrics_open:
        _authenticated_caller(request).require(Scope.PROJECT_MANAGE)
    with state.database.read() as session:
        collected = [*_database_metrics(session, state.clock()), *_process_metrics(state.request_metrics)]
        collected += production_metrics(session, state.clock(), state.lookup_counts)
    collected += _refusal_metrics(state.rate_limits.counts, state.refused_connections)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_CollectedMetrics(collected))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _authenticated_caller(request: Request) -> Caller:
    try:
        return authenticate_request(request)
    except NotAuthenticated:
        if "authorization" in request.headers:
            request.app.state.rate_limits.count_wrong_key(request.client.host if request.client else None)
        raise


class _CollectedMetrics:
    """Metrics that are collected already, as the collector that Prometheus' client calls."""

    def __init__(self, metrics: "Iterable[Metric]") -> None:
        self._metrics = metrics

    def collect(self) -> "Iterable[Metric]":
        return self._metrics


def _database_metrics(session: Session, now: datetime) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    runs = GaugeMetricFamily("promptuary_runs", "Runs by state and verdict.", labels=("state", "verdict"))
    for state, verdict, count in store.count_outcomes(session):
        runs.add_metric((state, verdict or "none"), count)
    yield runs
    alerts = GaugeMetricFamily("promptuary_alerts_open", "Alerts that nobody has seen.", labels=("project", "schedule"))
    for project, schedule, count in schedule_store.count_open_alerts(session, SERIES_LIMIT):
        alerts.add_metric((project, schedule), count)
    yield alerts
    late = schedule_store.count_overdue(session, now - LATE)
    yield GaugeMetricFamily("promptuary_schedules_late", "Schedules that were due over a minute ago.", value=late)
    pending = GaugeMetricFamily("promptuary_outbox_waiting", "Messages that are not delivered yet.", labels=("topic",))
    for topic in (CHROMA, PROMPTS, MLFLOW, WEBHOOK, WEBHOOK_DELIVERIES):
        pending.add_metric((topic,), outbox.count_pending(session, topic))
    yield pending
    lag = GaugeMetricFamily("promptuary_outbox_oldest_seconds", "Age of the oldest message to deliver.", labels=("topic",))
    for topic in (CHROMA, PROMPTS, MLFLOW, WEBHOOK, WEBHOOK_DELIVERIES):
        oldest = outbox.oldest_pending(session, topic)
        lag.add_metric((topic,), 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
    yield lag
    parked = GaugeMetricFamily("promptuary_outbox_parked", "Messages that were refused too often.", labels=("topic",))
    counts = count_parked(session)
    for topic in (CHROMA, PROMPTS, MLFLOW, WEBHOOK, WEBHOOK_DELIVERIES):
        parked.add_metric((topic,), counts.get(topic, 0))
    yield parked


def _refusal_metrics(rate_limits: Mapping[str, int], connections: Mapping[str, int]) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily

    yield CounterMetricFamily("promptuary_wrong_keys", "Requests with a wrong key.", value=rate_limits["wrong_key"])
    limited = CounterMetricFamily("promptuary_requests_limited", "Requests that were answered with 429.", labels=("limit",))
    limited.add_metric(("wrong_keys",), rate_limits["wrong_key_limited"])
    limited.add_metric(("key",), rate_limits["key_limited"])
    yield limited
    help_text = "Connections and requests that the server refused before any route saw them."
    refused = CounterMetricFamily("promptuary_connections_refused", help_text, labels=("code",))
    for code, count in sorted(connections.items()):
        refused.add_metric((code,), count)
    yield refused


def _process_metrics(request_metrics: RequestMetrics) -> "Iterator[Metric]":
    from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily

    yield InfoMetricFamily("promptuary", "This release.", value={"version": __version__})
    labels = ("method", "route", "status")
    help_text = "Seconds until a request's response began; lookups that memory answered are not in it."
    requests = HistogramMetricFamily("promptuary_http_request_seconds", help_text, labels=labels)
    bounds = [*map(str, BUCKET_BOUNDS), "+Inf"]
    for (method, route, status), histogram in request_metrics:
        buckets = list(zip(bounds, accumulate(histogram.buckets), strict=True))
        requests.add_metric((method, route, str(status)), buckets, histogram.seconds)
    yield requests
