"""The composition of a worker. The command line executes its own runs with the same components."""

from collections.abc import Iterator
from contextlib import contextmanager

from promptuary.access.retention import ResponseRetention
from promptuary.context import retrieval as context_retrieval
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core.clock import Clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC
from promptuary.migrations.upgrade import upgrade
from promptuary.models.chat_models import ChatModels
from promptuary.registry import similarity
from promptuary.scheduling import alert_webhook
from promptuary.scheduling.alert_webhook import AlertWebhook
from promptuary.scheduling.scheduler import Scheduler
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.traffic.intake.settling.settling import SampleSettling
from promptuary.traffic.online.queue_filling import QueueFillings
from promptuary.traffic.online.scoring import OnlineScorings
from promptuary.traffic.redaction.hook import build_redactor
from promptuary.traffic.retention.retention import TrafficRetention
from promptuary.webhooks import publication
from promptuary.webhooks.delivery import WebhookDelivery
from promptuary.worker.database import open_worker_database
from promptuary.worker.executor_assembly import build_executor
from promptuary.worker.loop import Worker


@contextmanager
def build_worker(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Clock = wall_clock,
    retrieval: PassageRetrieval | None = None,
    models: ChatModels | None = None,
) -> Iterator[Worker]:
    """Build a worker on a database of the current schema; what was opened here is closed when the block ends.

    Args:
        settings: from `read_settings`.
        database: an open database; by default that of the settings.
        clock: returns the present time.
        retrieval: the process's embedder and index; by default one that creates both at their first use.
        models: the process's chat models; by default those of the settings.
    """
    scorer_types()  # a plug-in that cannot be used raises its error here
    open_database = database or open_worker_database(settings)
    upgrade(open_database)
    open_retrieval = retrieval or PassageRetrieval(open_database, clock, build_embedding_backend(open_database, settings))
    open_models = models or ChatModels(settings)
    executor = build_executor(settings, open_database, clock, open_retrieval, open_models)
    tracker = MlflowTracker(settings, open_database)
    vectors = PromptVectors(open_database, settings, open_retrieval.backend)
    relays = [
        (context_retrieval.CHROMA_TOPIC, open_retrieval.deliver),
        (similarity.PROMPTS_TOPIC, vectors.deliver),
        (TRACKING_TOPIC, tracker.deliver),
        (alert_webhook.TOPIC, AlertWebhook(settings, open_database, clock).deliver),
        (publication.TOPIC, WebhookDelivery(settings, open_database, clock).deliver),
    ]
    independent = frozenset({alert_webhook.TOPIC, publication.TOPIC})
    scheduler = Scheduler(open_database, clock, settings)
    retention = ResponseRetention(open_database, clock, settings.retry_days)
    settling = SampleSettling(open_database, clock, settings, build_redactor(settings))
    traffic_retention = TrafficRetention(open_database, clock, settings)

    fillings = QueueFillings(open_database, clock, settings)
    scorings = OnlineScorings(
        open_database,
        clock,
        settings,
        executor.renderer,
        open_models,
        embed=lambda texts: open_retrieval.backend.embedder.embed(texts),
    )
    steps = (("review queues of traffic", fillings.step), ("online scores", scorings.step))

    def tick() -> bool:
        return any([scheduler.step(), retention.step(), settling.step(), traffic_retention.step()])

    try:
        yield Worker(open_database, clock, settings, executor, relays, independent, tick, steps)
    finally:
        if models is None:
            open_models.close()
        if retrieval is None:
            open_retrieval.close()
        if database is None:
            open_database.dispose()
