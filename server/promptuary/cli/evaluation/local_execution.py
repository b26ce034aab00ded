"""A run executed in this process, on the same tables and by the same code as a worker's."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from promptuary.cli.connection import NotInstalled
from promptuary.cli.evaluation.interruption import Interruption
from promptuary.cli.evaluation.progress import OnProgress, RunProgress
from promptuary.core.clock import wall_clock

if TYPE_CHECKING:
    from promptuary.cli.embedded.service import EmbeddedService
    from promptuary.evaluation.runs.store import Run


class Executor(StrEnum):
    """Where the cases of a run are executed."""

    LOCAL = "local"
    """In this process, unless its settings name another executor."""
    RAY = "ray"
    """On a Ray cluster: the one that PROMPTUARY_RAY_ADDRESS names, or this machine's processors."""


@dataclass(frozen=True)
class LocalExecution:
    """What executes runs in this process.

    Attributes:
        services: the service in this process.
        project: the project of the runs; None for the default one.
        executor: where the cases are executed.
        deliver: delivers finished runs to MLflow by a process that stands ready for it; None to do that in this process.
        folder: of the suite's file, where modules of its functions are, beside those of the current folder.
    """

    services: "EmbeddedService"
    project: str | None = None
    executor: Executor = Executor.LOCAL
    deliver: Callable[[], None] | None = None
    folder: Path | None = None

    def execute(self, run_id: str, on_progress: OnProgress, interruption: Interruption) -> bool:
        """Execute a run as a worker would; return False where a worker has leased it first.

        A signal ends the execution: no case is started any more, and those in flight have a moment to end.

        Raises:
            NotInstalled: when a part that the run needs is not installed.
        """
        try:
            from promptuary.core.logs import configure_logging
            from promptuary.models.chat_models import ChatModels
            from promptuary.worker.executor_assembly import build_executor
        except ModuleNotFoundError as error:
            raise NotInstalled(f"running a suite needs {error.name}; install promptuary[evaluation,context,local]") from None
        run = self._lease(run_id)
        if run is None:
            return False
        services, settings = self.services, self.services.settings
        if self.executor is not Executor.LOCAL:
            settings = settings.model_copy(update={"executor": self.executor.value})
        folders = [str(path.absolute()) for path in (self.folder, Path()) if path is not None]
        code_path = os.pathsep.join(filter(None, [*folders, settings.code_path]))
        settings = settings.model_copy(update={"code_path": code_path})
        configure_logging("ERROR")  # the command reports what happened
        models = ChatModels(services.settings)
        try:
            run_executor = build_executor(settings, services.database, wall_clock, services.retrieval, models)
            with interruption.deferred():
                run_executor.execute(
                    run,
                    lambda now: on_progress(RunProgress(now.done, now.total, now.spent)),
                    interruption.requested,
                    requeue=False,
                )
        finally:
            models.close()
        return True

    def _lease(self, run_id: str) -> "Run | None":
        """Lease a run to this process; return None where a worker has leased it first."""
        from promptuary.access.credentials import DEFAULT_PROJECT, local_caller
        from promptuary.access.unit_of_work import UnitOfWork
        from promptuary.core.errors import Conflict
        from promptuary.evaluation.runs.service import RunService
        from promptuary.evaluation.runs.worker_process import worker_name

        services = self.services
        try:
            caller = local_caller(services.database, wall_clock(), self.project or DEFAULT_PROJECT)
            with services.database.write() as session:
                unit = UnitOfWork(session, caller, wall_clock, services.settings)
                return RunService(unit).lease(run_id, worker_name())
        except Conflict:
            return None

    def deliver_to_mlflow(self) -> None:
        """Deliver what is due to MLflow; what cannot be delivered stays due."""
        if self.deliver is not None:
            self.deliver()
            return
        from promptuary.core import outbox
        from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
        from promptuary.evaluation.tracking.topic import TRACKING_TOPIC

        services = self.services
        tracker = MlflowTracker(services.settings, services.database)
        outbox.relay(services.database, wall_clock, TRACKING_TOPIC, tracker.deliver)
