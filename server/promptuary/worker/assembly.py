"""What a worker is made of, read top to bottom; the command line does its own runs with the same parts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from promptuary.base.clock import Clock, wall_clock
from promptuary.base.database import Database
from promptuary.base.settings import Settings
from promptuary.context import retrieval as context_retrieval
from promptuary.context.prompt_vectors import PromptVectors
from promptuary.context.rendering import Renderer
from promptuary.context.retrieval import Retrieval
from promptuary.evaluation import alert_webhook, execution
from promptuary.evaluation.alert_webhook import AlertWebhook
from promptuary.evaluation.books import Settling
from promptuary.evaluation.execution import Execution
from promptuary.evaluation.models import ChatModels
from promptuary.evaluation.scheduler import Scheduler
from promptuary.evaluation.scorers.registry import kinds
from promptuary.evaluation.store import Run
from promptuary.evaluation.tracking import Tracker
from promptuary.migrations.upgrade import upgrade
from promptuary.registry import resemblance
from promptuary.worker.loop import Worker


@contextmanager
def build(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Clock = wall_clock,
    retrieval: Retrieval | None = None,
    models: ChatModels | None = None,
) -> Iterator[Worker]:
    """Assemble a worker on a database of today's schema; what was opened here is closed when the block ends.

    Args:
        settings: from `read_settings`.
        database: one that is open already; by default the settings' one.
        clock: gives the present moment.
        retrieval: the process's embedder and index; by default one that makes both at their first use.
        models: the process's chat models; by default those that the settings name.
    """
    kinds()  # a plug-in that cannot be used stops it here
    opened = database or Database(settings.sql_url)
    upgrade(opened)
    found = retrieval or Retrieval(opened, clock, settings)
    chats = models or ChatModels(settings)
    done = build_execution(settings, opened, clock, found, chats)
    tracker = Tracker(settings, opened)
    vectors = PromptVectors(opened, settings, found)
    relays = [
        (context_retrieval.TOPIC, found.deliver),
        (resemblance.TOPIC, vectors.deliver),
        (execution.TOPIC, tracker.deliver),
        (alert_webhook.TOPIC, AlertWebhook(settings, opened, clock).deliver),
    ]
    scheduler = Scheduler(opened, clock, settings)
    try:
        yield Worker(opened, clock, settings, done, relays, frozenset({alert_webhook.TOPIC}), scheduler.step)
    finally:
        if models is None:
            chats.close()
        if retrieval is None:
            found.close()
        if database is None:
            opened.dispose()


def build_execution(
    settings: Settings, database: Database, clock: Clock, retrieval: Retrieval, models: ChatModels
) -> Execution:
    """Put together what does a run in this process, or leads it on a Ray cluster where the settings say so."""
    spread = None
    if settings.executor == "ray":
        from promptuary.evaluation.ray_executor import RayExecutor

        spread = RayExecutor(settings, hands).run
    renderer = Renderer(retrieval, settings)
    return Execution(database, clock, settings, renderer, models, lambda texts: retrieval.embedder.embed(texts), spread)


@contextmanager
def hands(settings: Settings, run: Run, share: int) -> Iterator[Settling]:
    """Put together what does a run's items on a worker of a Ray cluster, with its own connections and models."""
    from promptuary.evaluation.ray_executor import CHUNKS_A_HAND

    database = Database(settings.sql_url)
    retrieval = Retrieval(database, wall_clock, settings)
    models = ChatModels(settings)
    try:
        alone = settings.model_copy(update={"executor": "local"})
        execution = build_execution(alone, database, wall_clock, retrieval, models)
        with ExitStack() as closing:
            yield execution.worker(run, closing, share, max(1, share // CHUNKS_A_HAND))
    finally:
        models.close()
        retrieval.close()
        database.dispose()
