"""The composition of what executes runs: in a worker, in a command, and on a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from promptuary.context.rendering import ContextRenderer
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core.clock import Clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.costs.accounting import AccountedRunner
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.finished_run_events import FinishedRunEvents
from promptuary.evaluation.runs.store import Run
from promptuary.models.chat_models import ChatModels
from promptuary.review.calibration.human_labels import ReviewedLabels
from promptuary.scheduling.drop_alerts import DropAlerts
from promptuary.worker.database import open_worker_database


def build_executor(
    settings: Settings, database: Database, clock: Clock, retrieval: PassageRetrieval, models: ChatModels
) -> RunExecutor:
    """Build the executor of runs: in this process, or on a Ray cluster if the settings choose one."""
    run_remotely = None
    if settings.executor == "ray":
        from promptuary.evaluation.execution.ray_runner import RayRunner

        run_remotely = RayRunner(settings, open_ray_worker).run
    renderer = ContextRenderer(retrieval, settings)
    return RunExecutor(
        database,
        clock,
        settings,
        renderer,
        models,
        embed=lambda texts: retrieval.backend.embedder.embed(texts),
        run_remotely=run_remotely,
        listeners=(DropAlerts(), FinishedRunEvents()),
        human_labels=ReviewedLabels(),
    )


@contextmanager
def open_ray_worker(settings: Settings, run: Run, share: int) -> Iterator[AccountedRunner]:
    """Build the runner of a run's items on a worker of a Ray cluster, with its own connections and models."""
    from promptuary.evaluation.execution.ray_runner import CHUNKS_PER_WORKER

    database = open_worker_database(settings)
    retrieval = PassageRetrieval(database, wall_clock, build_embedding_backend(database, settings))
    models = ChatModels(settings)
    try:
        alone = settings.model_copy(update={"executor": "local"})
        executor = build_executor(alone, database, wall_clock, retrieval, models)
        with ExitStack() as closing:
            yield executor.open_runner(run, closing, share, max(1, share // CHUNKS_PER_WORKER))
    finally:
        models.close()
        retrieval.close()
        database.dispose()
