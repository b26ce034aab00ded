"""Doing a leased run from its first open item to its verdict; the worker and the command line both do it so.

The lease is held by a thread of its own, so that a scorer that keeps the processor busy does not lose it. Results are written
in batches, each under the lease's fence; whoever has lost the lease writes nothing more.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import NotFound, Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.accounting import AccountedRunner, RunAccounting
from promptuary.evaluation.execution.cost_limit import cost_limit_message, with_missing
from promptuary.evaluation.execution.groups import GroupedRunner
from promptuary.evaluation.execution.runner import PromptRenderer, Runner
from promptuary.evaluation.plan import CaseResult, CompletedItems, Variant, WorkItem, work_items
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunOutcome, RunState
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.tracking.mlflow_tracker import TOPIC as TOPIC
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.early_stop import EarlyStopMonitor
from promptuary.models.calls import ChatModelSource, ModelClient, ModelReply, ModelRequest
from promptuary.models.calls.client import PendingWrites
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry import store as registry_store

ACTOR = "worker"
MAX_LEASES = 50
CASES_PAGE = 500
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a run is: results there are, results there will be, how many of them are errors, and US dollars spent."""

    done: int
    total: int
    failed: int
    spent: float = 0.0


class Interrupted(Exception):
    """The process is to stop; leaves the execution at once, and the run is given back when all calls are settled."""


class LeaseLost(Exception):
    """The run was cancelled, or another worker has it by now; leaves the execution at once."""


@dataclass(frozen=True)
class RunExecutor:
    """What it takes to do runs: one a process.

    Attributes:
        database: where runs and results are.
        clock: gives the present moment.
        settings: concurrency, timeouts and the length of a lease.
        renderer: renders prompts with their context.
        models: gives chat models.
        embed: texts to rows of unit length, for scorers.
        spread: does items elsewhere, on a cluster, and gives their results as the runner does; None does them here.
    """

    database: Database
    clock: Clock
    settings: Settings
    renderer: PromptRenderer
    models: ChatModelSource
    embed: Callable[[Sequence[str]], Any]
    spread: Callable[[Run, Iterable[WorkItem]], AsyncGenerator[list[CaseResult], None]] | None = None

    def lease(self, worker: str) -> Run | None:
        """Take the oldest run that is due; one that was taken up time and again without an end is failed instead."""
        with self.database.write() as session:
            found = store.lease_run(session, worker, self.clock(), self._until())
            if found is None or found.fence <= MAX_LEASES:
                return found
            reason = f"taken up {MAX_LEASES} times without coming to its end; see the workers' logs"
            store.finish_run(session, found, RunOutcome(RunState.FAILED, error=reason), self.clock())
            audit.append_entry(session, found.project, ACTOR, "run.failed", found.id, {"error": reason}, self.clock())
            return None

    def execute(
        self, run: Run, on_progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None
    ) -> Run:
        """Do what is left of a run whose lease is held here, and give the run as it is then.

        A run that cannot be done at all ends as failed, with the reason. Where the database does not answer, or the process
        is told to stop, the lease is given back and the run goes on elsewhere.

        Args:
            run: as `lease` or `Evaluations.hold` gave it.
            on_progress: told after every batch, in this thread.
            stop: ends the work early when it is set, half a second later at most.

        Raises:
            Unavailable: when the database does not answer.
        """
        bound = log.bind(run=run.id, suite=run.suite, fence=run.fence)
        try:
            with self._held(run) as lost, ExitStack() as closing:
                asyncio.run(self._do(run, on_progress or (lambda _: None), lost, stop or threading.Event(), closing))
        except LeaseLost:
            bound.info("run left to others")
        except Interrupted:
            self._give_back(run)
        except Unavailable:
            self._give_back(run)
            raise
        except Exception as error:
            bound.exception("run failed")
            self._fail(run, error)
        except BaseException:
            self._give_back(run)
            raise
        with self.database.read() as session:
            found = store.get_run(session, run.id)
        assert found is not None
        bound.info("run done", state=found.state, verdict=found.verdict, done=found.done, total=found.total)
        return found

    def worker(self, run: Run, closing: ExitStack, share: int, processes: int) -> AccountedRunner:
        """Give what does a run's items in this process, one of several, with one of so many shares of its concurrency.

        Args:
            run: whose items.
            closing: closes what scorers have opened.
            share: in how many the concurrency is to be shared.
            processes: how many are on the run, and share its rates.

        Raises:
            NotFound: when the registry no longer has a version that the run is about.
        """
        suite = Suite.model_validate(run.plan.suite)
        books = RunAccounting(self.database, self.clock, self.settings, run)
        calls = books.client(self.models, suite, processes)
        return AccountedRunner(self._runner(run, suite, calls, self._parts(calls, closing), share), books, calls)

    def _runner(self, run: Run, suite: Suite, calls: ModelClient, parts: ScorerDependencies, share: int = 1) -> Runner:
        """Give what does a run's items, with one of so many shares of its concurrency.

        Raises:
            NotFound: when the registry no longer has a version that the run is about.
        """
        with self.database.read() as session:
            contents = {variant.name: _content(session, run, variant) for variant in run.plan.variants}
        return Runner(
            project=run.project,
            renderer=self.renderer,
            calls=calls,
            scorers=CaseScorers.build(suite.scorers, parts, suite.threshold),
            prepared={name: prepare(content, jinja2=self.settings.jinja2) for name, content in contents.items()},
            concurrency=max(1, -(-run.plan.concurrency // share)),
            timeout=self.settings.case_timeout,
            clock=self.clock,
        )

    async def _do(
        self,
        run: Run,
        on_progress: Callable[[Progress], None],
        lost: threading.Event,
        stop: threading.Event,
        closing: ExitStack,
    ) -> None:
        suite = Suite.model_validate(run.plan.suite)
        with self.database.read() as session:
            done = CompletedItems(run.total, store.completed_ordinals(session, run.id))
            failed = store.count_errors(session, run.id)
        books = RunAccounting(self.database, self.clock, self.settings, run)
        calls = books.client(self.models, suite, 1 if self.spread is None else 2)
        parts = self._parts(calls, closing)
        runner = self._runner(run, suite, calls, parts)
        groups = GroupedRunner(suite, run.plan, parts, runner.prepared, self.settings.case_timeout)
        count = len(done)
        on_progress(Progress(count, run.total, failed, calls.budget.spent))
        watch = self._watch(run, suite) if suite.early_stop else None
        left = self._left(run, done) if watch is None else self._left_in(run, done, watch.order)
        if watch is not None and watch.decided():
            left = iter(())
        spread = self.spread
        done_by = runner.run if spread is None else (lambda items: spread(run, items))
        async with books.closing(calls), aclosing(groups.judged(done_by, left)) as batches:
            async for batch in batches:
                if batch:
                    await asyncio.to_thread(self._write, run, batch, books, calls.take_pending_writes())
                    if watch is not None:
                        watch.add(batch)
                    count += len(batch)
                    failed += sum(result.error is not None for result in batch)
                    on_progress(Progress(count, run.total, failed, calls.budget.spent))
                if watch is not None and watch.decided():
                    break
                if lost.is_set():
                    raise LeaseLost
                if stop.is_set() and count < run.total:
                    raise Interrupted
        decided = watch is not None and watch.decided()
        stopped = run.plan.max_cost is not None and count < run.total and not decided
        self._finish(run, suite, runner.scorers.metric_names, watch.reached() if watch else None, stopped=stopped)

    def _left(self, run: Run, done: CompletedItems) -> Iterator[WorkItem]:
        """Give what is left to do; cases are read a page at a time, and pages that have nothing left are not read."""
        plan = run.plan
        for first in range(0, plan.dataset.cases, CASES_PAGE):
            last = min(first + CASES_PAGE, plan.dataset.cases)
            if all(ordinal in done for ordinal in range(first * plan.per_case, last * plan.per_case)):
                continue
            with self.database.read() as session:
                page = store.list_cases(session, plan.dataset.id, first, last - first)
            yield from work_items(plan, page, done, first)

    def _watch(self, run: Run, suite: Suite) -> EarlyStopMonitor:
        """Make the watch over a run that may stop early, with the results that there are."""
        with self.database.read() as session:
            clusters = store.list_memberships(session, run.plan.dataset.id)
            watch = EarlyStopMonitor(run.plan, suite, clusters, CaseOrder.of(clusters, run.id))
            watch.add(list(store.iterate_figures(session, run.id)))
        return watch

    def _left_in(self, run: Run, done: CompletedItems, order: CaseOrder) -> Iterator[WorkItem]:
        """Give what is left to do in an order of its own; some units' cases are read at a time."""
        plan = run.plan
        with self.database.read() as session:
            places = {case: place for place, case in enumerate(store.list_memberships(session, plan.dataset.id))}
        ordered = [places[case] for unit in order.units for case in unit]
        for first in range(0, len(ordered), CASES_PAGE):
            page = ordered[first : first + CASES_PAGE]
            with self.database.read() as session:
                cases = store.cases_at(session, plan.dataset.id, page)
            for place in page:
                yield from work_items(plan, [cases[place]], done, place)

    def _parts(self, calls: ModelClient, closing: ExitStack) -> ScorerDependencies:
        async def ask(
            model: str, messages: Sequence[Mapping[str, str]], *, schema: Mapping[str, Any] | None = None, repeat: int = 0
        ) -> ModelReply:
            config = {"temperature": 0.0} if model.startswith("local:") else {}  # hosted ones may refuse a temperature
            return await calls.ask(ModelRequest(model, messages, config, schema=schema, repeat=repeat))

        return ScorerDependencies(
            self.embed, ask, self.settings.code_scorers, self.settings.allowed_webhook_hosts, closing.callback
        )

    def _write(self, run: Run, batch: list[CaseResult], books: RunAccounting, due: PendingWrites) -> None:
        with self.database.write() as session:
            if not store.add_results(session, run, batch, self._until()):
                raise LeaseLost
            books.write(session, due)

    def _finish(self, run: Run, suite: Suite, scorers: Sequence[str], order: CaseOrder | None, *, stopped: bool) -> None:
        from promptuary.evaluation.evidence.conclusion import conclude, record_conclusion
        from promptuary.evaluation.verdict.summary import summarise

        with self.database.read() as session:
            clusters = store.list_clusters(session, run.plan.dataset.id)
            summary = summarise(run.plan, suite, clusters, store.iterate_figures(session, run.id), scorers, order)
        if stopped:
            self._stop(run, with_missing(summary, run.plan, suite))
            return
        now = self.clock()
        with self.database.read() as session:
            conclusion = conclude(session, run, summary, now, order)
        with self.database.write() as session:
            if not store.finish_run(session, run, RunOutcome(RunState.FINISHED, summary), now):
                raise LeaseLost
            detail = {
                "suite": run.suite,
                "suite_digest": run.plan.suite_digest,
                "verdict": summary.verdict,
                "results": summary.results,
            }
            audit.append_entry(session, run.project, ACTOR, "run.finished", run.id, detail, now)
            outbox.enqueue(session, TOPIC, {"run": run.id}, now)
            record_conclusion(session, run, conclusion, now)

    def _stop(self, run: Run, summary: Summary) -> None:
        """End a run that has reached its ceiling; MLflow gets it when it has gone on to its end."""
        reason, now = cost_limit_message(run.plan, summary.missing or 0), self.clock()
        with self.database.write() as session:
            if not store.finish_run(session, run, RunOutcome(RunState.STOPPED, summary, reason), now):
                raise LeaseLost
            audit.append_entry(
                session, run.project, ACTOR, "run.stopped", run.id, {"error": reason, "verdict": summary.verdict}, now
            )

    def _fail(self, run: Run, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:1000]
        with self.database.write() as session:
            if store.finish_run(session, run, RunOutcome(RunState.FAILED, error=reason), self.clock()):
                audit.append_entry(session, run.project, ACTOR, "run.failed", run.id, {"error": reason}, self.clock())

    def _give_back(self, run: Run) -> None:
        """Let another go on at once; where even that fails, the lease ends by itself."""
        try:
            with self.database.write() as session:
                store.release_run(session, run)
        except Unavailable as error:
            log.warning("lease not given back", run=run.id, error=str(error))

    @contextmanager
    def _held(self, run: Run) -> Iterator[threading.Event]:
        """Hold the lease while the block runs; the event is set once it is lost."""
        lost, ended = threading.Event(), threading.Event()

        def beat() -> None:
            while not ended.wait(self.settings.lease_seconds / 3):
                try:
                    with self.database.write() as session:
                        if not store.extend_lease(session, run, self._until()):
                            lost.set()
                            return
                except Unavailable as error:
                    log.warning("heartbeat failed", run=run.id, error=str(error))

        thread = threading.Thread(target=beat, name=f"lease-{run.id}", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            ended.set()
            thread.join()

    def _until(self) -> Any:
        return self.clock() + timedelta(seconds=self.settings.lease_seconds)


def _content(session: Any, run: Run, variant: Variant) -> Content:
    """Give a variant's content.

    Raises:
        NotFound: when the registry no longer has it.
    """
    prompt = registry_store.prompt(session, run.project, variant.prompt)
    found = registry_store.version(session, prompt, variant.version) if prompt else None
    if found is None or found.digest != variant.digest:
        raise NotFound(f"the version {variant.version} of '{variant.prompt}', which the run is about, is not there")
    return content_from_json(found.content)
