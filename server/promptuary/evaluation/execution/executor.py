"""The execution of a leased run from its first remaining item to its verdict; the worker and the command line both use it."""

import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import structlog

from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.admission import plan_models
from promptuary.evaluation.execution.components import RunComponents
from promptuary.evaluation.execution.costs.accounting import AccountedRunner, RunAccounting
from promptuary.evaluation.execution.event_loop import run_execution
from promptuary.evaluation.execution.finished_run import FinishedRunListener
from promptuary.evaluation.execution.finisher import RunFinisher
from promptuary.evaluation.execution.groups import GroupedRunner
from promptuary.evaluation.execution.lease import LeaseLost, RunLeases
from promptuary.evaluation.execution.replay_target import ReplayTarget
from promptuary.evaluation.execution.result_loop import ExecutionSignals, Interrupted, Progress, ResultLoop
from promptuary.evaluation.execution.resume import start_or_resume_run
from promptuary.evaluation.execution.work import WorkItem, dataset_cases
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.judges.labels import HumanLabels
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.targets.prompt_target import PromptRenderer, PromptTarget
from promptuary.evaluation.targets.target import Target
from promptuary.models.calls import ChatModelSource, SetupFailed
from promptuary.prompt.errors import Invalid

# On a cluster, this process only scores groups of outputs. How many workers there are is known later, when the cluster is
# reached; any number over 1 makes the budget a shared one, and 2 leaves this process half of each rate limit.
PROCESSES_BESIDE_CLUSTER = 2
GRACE_SECONDS = 2.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunExecutor:
    """Executes runs, one after another; a process has one.

    Attributes:
        database: contains runs and results.
        clock: returns the current time.
        settings: concurrency, timeouts and the length of a lease.
        renderer: renders prompts with their context.
        models: the source of chat models.
        embed: converts texts to rows of unit length, for scorers.
        run_remotely: runs items on a cluster and yields their results as `Runner.run` does; None runs them in this process.
        listeners: are notified of runs that finish.
        human_labels: reads what people decided on the results of judged metrics; None where there are no reviews.
        grace: seconds for the items in flight of a run that is interrupted.
    """

    database: Database
    clock: Clock
    settings: Settings
    renderer: PromptRenderer
    models: ChatModelSource
    embed: Callable[[Sequence[str]], Any]
    run_remotely: Callable[[Run, Iterable[WorkItem]], AsyncGenerator[list[CaseResult], None]] | None = None
    listeners: Sequence[FinishedRunListener] = ()
    human_labels: HumanLabels | None = None
    grace: float = GRACE_SECONDS

    @cached_property
    def leases(self) -> RunLeases:
        """The leases of this process."""
        return RunLeases(self.database, self.clock, self.settings.lease_seconds)

    def lease(self, worker: str) -> Run | None:
        """Take the lease of the oldest run that is due; None if there is none."""
        return self.leases.acquire(worker)

    def execute(
        self,
        run: Run,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        *,
        requeue: bool = True,
    ) -> Run:
        """Execute what remains of a run, and return the run as it is then.

        A run that cannot be executed at all ends as failed, with the reason. If the database does not answer or the process
        must stop, the lease is released, and another execution resumes the run.

        Args:
            run: as `lease` or `RunService.lease` returned it.
            on_progress: is called after every batch, in this thread.
            stop: ends the execution when it is set, within half a second.
            requeue: whether the next worker continues a run that `stop` ends. If not, the items in flight have a moment to end,
                and the run waits until somebody resumes it.

        Raises:
            Unavailable: if the database does not answer.
        """
        bound = log.bind(run=run.id, suite=run.suite, fence=run.fence)
        release = self.leases.release if requeue else self.leases.interrupt
        try:
            with self.leases.keep(run) as lost, ExitStack() as closing:
                grace = 0.0 if requeue else self.grace
                signals = ExecutionSignals(on_progress or (lambda _: None), stop or threading.Event(), lost, grace)
                run_execution(self._execute(run, signals, closing))
        except LeaseLost:
            bound.info("lease lost")
        except Interrupted:
            release(run)
        except SetupFailed as error:
            bound.info("set-up failed", error=str(error))
            self._finisher.fail(run, str(error))
        except Unavailable:
            release(run)
            raise
        except Exception as error:
            bound.exception("run failed")
            self._finisher.fail(run, f"{type(error).__name__}: {error}")
        except BaseException:
            release(run)
            raise
        executed = self._read(run)
        bound.info("run executed", state=executed.state, verdict=executed.verdict, done=executed.done, total=executed.total)
        return executed

    def open_runner(self, run: Run, closing: ExitStack, share: int, processes: int) -> AccountedRunner:
        """Build what runs a run's items in this process, one of several on the run.

        Args:
            run: whose items.
            closing: closes what scorers open.
            share: into how many equal parts the concurrency of the run is divided; this runner gets one.
            processes: how many processes share the rate limits of the suite.

        Raises:
            NotFound: if the registry no longer has a version of the run.
        """
        suite = Suite.model_validate(run.plan.suite)
        accounting = RunAccounting(self.database, self.clock, self.settings, run)
        client = accounting.client(self.models, suite, processes)
        dependencies = self._components.scorer_dependencies(client, closing)
        return AccountedRunner(self._components.runner(run, suite, client, dependencies, share), accounting, client)

    async def _execute(self, run: Run, signals: ExecutionSignals, closing: ExitStack) -> None:
        suite = Suite.model_validate(run.plan.suite)
        start = start_or_resume_run(self.database, run, suite)
        accounting = RunAccounting(self.database, self.clock, self.settings, run)
        client = accounting.client(self.models, suite, processes=1 if self.run_remotely is None else PROCESSES_BESIDE_CLUSTER)
        dependencies = self._components.scorer_dependencies(client, closing)
        runner = self._components.runner(run, suite, client, dependencies)
        self._check_setup(run, suite, runner.target)
        client.prices.load(model.name for model in plan_models(run.plan, suite))
        grouped = GroupedRunner(suite, run.plan, dependencies, runner.target, self.settings.case_timeout)
        loop = ResultLoop(accounting, client, self.leases, start)
        signals.on_progress(loop.progress())
        run_items = partial(runner.run, is_stopping=signals.is_stopping)
        if self.run_remotely is not None:
            run_items = partial(self.run_remotely, run)
        async with accounting.closing(client), aclosing(grouped.run(run_items, signals.until_stopped(start.items))) as batches:
            await loop.consume(batches, signals)
        order = start.monitor.reached() if start.monitor else None
        summary = self._finisher.summarise(run, suite, runner.scorers.metric_names, order)
        if run.plan.max_cost is not None and loop.done < run.total and not loop.is_decided:
            self._finisher.stop(run, suite, summary)
        else:
            self._finisher.finish(run, summary, order)

    def _check_setup(self, run: Run, suite: Suite, target: Target) -> None:
        """Check before the first call what would be the error of every case.

        Raises:
            SetupFailed: for a model whose package is not installed, and for a prompt whose variables fit no case.
        """
        check_model: Callable[[str, JsonObject], None] = getattr(self.models, "check", lambda name, config: None)
        for model in plan_models(run.plan, suite):
            try:
                check_model(model.name, model.config)
            except Invalid as error:
                raise SetupFailed(str(error)) from None
        target = target.prompts if isinstance(target, ReplayTarget) else target
        if isinstance(target, PromptTarget) and (reason := target.mismatch(dataset_cases(self.database, run.plan))):
            raise SetupFailed(reason)

    @cached_property
    def _components(self) -> RunComponents:
        return RunComponents(self.database, self.clock, self.settings, self.renderer, self.embed)

    @cached_property
    def _finisher(self) -> RunFinisher:
        return RunFinisher(self.database, self.clock, self.listeners, self.human_labels)

    def _read(self, run: Run) -> Run:
        with self.database.read() as session:
            current = store.get_run(session, run.id)
        assert current is not None
        return current
