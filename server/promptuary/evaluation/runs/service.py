"""The rules of runs: what is submitted, who resumes, leases and cancels a run, and what is read of it."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from promptuary.access import audit
from promptuary.access.contents import read_without_response
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.admission import admit, check_prices
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.plan import CaseResult, Plan
from promptuary.evaluation.runs import result_store, store
from promptuary.evaluation.runs.recorded_baseline import RecordedBaseline
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.result_store import ClusterMean, Histogram, ResultFilter, ResultOutcome
from promptuary.evaluation.runs.selection import SelectedCases, select_cases
from promptuary.evaluation.runs.store import NewRun, Run, RunFilter, RunState
from promptuary.evaluation.runs.submission import Baselines, build_plan, resolve_candidates, suite_for_run
from promptuary.evaluation.runs.target_submission import build_target_plan
from promptuary.evaluation.runs.worker_process import has_ended
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite, suite_digest
from promptuary.prompt.text import format_usd
from promptuary.registry.service import Registry

if TYPE_CHECKING:
    from promptuary.evaluation.runs.comparison import RunComparison

RESULTS_LIMIT = 1_000_000
_CASES_BATCH = 1000


@dataclass(frozen=True)
class ResultWithCase:
    """A result with its case."""

    result: CaseResult
    case: Case


@dataclass(frozen=True)
class MetricDistribution:
    """The distribution of a metric's case scores in a run.

    Attributes:
        metric: the metric's name.
        histograms: one for each variant.
        means: of the largest clusters under each variant.
        clusters: the number of all clusters.
    """

    metric: str
    histograms: Sequence[Histogram]
    means: Sequence[ClusterMean]
    clusters: int


@dataclass(frozen=True)
class RunService:
    """Runs on behalf of a caller."""

    unit: UnitOfWork

    def submit(self, request: RunRequest, *, schedule: str | None = None, recorded: RecordedBaseline | None = None) -> Run:
        """Queue a run; everything that it does is decided now, and labels that move later change nothing in it.

        Args:
            request: what is to be run.
            schedule: the name of the schedule that submits it.
            recorded: calls of production, which take the place of the suite's dataset, with their answers as a baseline.

        Raises:
            NotFound: for an unknown suite, dataset, prompt, label or version. A label that only the gate names may be
                missing: then that demand of the gate is inconclusive.
            InvalidRequest: for candidates, models or repeats that are not accepted, too many results, or a cost limit with a
                model whose price is not known.
        """
        with read_without_response(self.unit.session):  # a plan has names and digests
            plan = self._plan(request, recorded)
        caller, now = self.unit.caller, self.unit.clock()
        run_id = f"run_{int(now.timestamp() * 1000):011x}{secrets.token_hex(6)}"
        run = store.add_run(self.unit.session, NewRun(run_id, caller.project, plan, caller.identity, now, schedule))
        detail = {
            "suite": plan.suite_name,
            "suite_digest": plan.suite_digest,
            "dataset_digest": plan.dataset.digest,
            "variants": {variant.name: variant.digest for variant in plan.variants},
        }
        audit.record_change(self.unit, "run.submitted", run_id, detail)
        return run

    def check(self, request: RunRequest) -> Plan:
        """Return the plan that a run would have, without queueing it; raise as `submit`."""
        return self._plan(request)

    def resume(self, run_id: str, max_cost: float | None = None) -> Run:
        """Queue a run again that was interrupted, that the cost limit stopped, or whose worker is gone; its results are kept.

        Args:
            run_id: its id.
            max_cost: the new cost limit in US dollars, over what is spent already; None keeps the run's limit.

        Raises:
            NotFound: when there is no such run.
            InvalidRequest: when the limit leaves nothing to spend, or a model's price is not known.
            Conflict: when the run ended in another way, or a worker has its lease.
        """
        run, now = self._lock(run_id), self.unit.clock()
        plan = run.plan if max_cost is None else replace(run.plan, max_cost=max_cost)
        spent = run.spent + run.reserved
        if run.state is RunState.STOPPED and max_cost is None:
            raise InvalidRequest(
                f"the run '{run_id}' has reached its cost limit", [FieldError("max_cost", "give a higher one")]
            )
        if plan.max_cost is not None and plan.max_cost <= spent:
            amount = format_usd(spent, significant_digits=6)
            message = f"must be over the {amount} that is spent already"
            raise InvalidRequest(f"the run '{run_id}' cannot be resumed", [FieldError("max_cost", message)])
        self._check_cost_limit(plan, Suite.model_validate(plan.suite))
        self._release_if_ended(run)
        if not store.requeue_run(self.unit.session, run_id, plan, now):
            ended = run.state in (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)
            reason = f"is {run.state} already" if ended else f"is being executed by {run.worker}"
            raise Conflict(f"the run '{run_id}' {reason}")
        audit.record_change(self.unit, "run.resumed", run_id, {"max_cost": plan.max_cost, "done": run.done, "total": run.total})
        return self._lock(run_id)

    def lease(self, run_id: str, worker: str) -> Run:
        """Lease one run, to execute it in this process; also a run whose worker is gone, which is resumed.

        A worker is gone when its lease is over, or at once where its process has ended on this machine.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it is over, or another worker has its lease.
        """
        run, now = self._lock(run_id), self.unit.clock()
        until = now + timedelta(seconds=self.unit.settings.lease_seconds)
        self._release_if_ended(run)
        leased = store.lease_run(self.unit.session, worker, now, until, run_id)
        if leased is None:
            raise Conflict(
                f"the run '{run_id}' is {run.state} already"
                if run.state.over
                else f"the run '{run_id}' is being executed by {run.worker}; wait for it, or until its lease ends"
            )
        return leased

    def interrupt(self, run_id: str) -> Run:
        """Stop a run until somebody resumes it; its results are kept.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it is over.
        """
        return self._stop(run_id, RunState.INTERRUPTED)

    def cancel(self, run_id: str) -> Run:
        """Stop a run; its results are kept.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it is over.
        """
        return self._stop(run_id, RunState.CANCELLED)

    def get(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            NotFound: when the project has no such run.
        """
        run = store.get_run(self.unit.session, run_id, self.unit.caller.project)
        if run is None:
            raise NotFound(f"there is no run '{run_id}'")
        return run

    def list_runs(self, limit: int, cursor: str | None, selection: RunFilter | None = None) -> Page[Run]:
        """Return a page of runs, the newest first."""
        session, project, before = self.unit.session, self.unit.caller.project, decode_cursor(cursor, str)
        rows = store.list_runs(session, project, selection or RunFilter(), before=before, limit=limit + 1)
        return build_page(rows, limit, lambda run: run.id)

    def list_results(
        self, run_id: str, limit: int, cursor: str | None, selection: ResultFilter | None = None
    ) -> Page[ResultWithCase]:
        """Return a page of a run's results, each with its case; all in the file's order without a selection.

        Raises:
            NotFound: when there is no such run.
            InvalidCursor: for a cursor of another order.
        """
        run, session = self.get(run_id), self.unit.session
        page = result_store.select_results(session, run_id, run.plan, selection or ResultFilter(), limit, cursor)
        return Page([ResultWithCase(result, case) for result, case in page.items], page.next_cursor)

    def iterate_outcomes(self, run_id: str) -> Iterator[ResultOutcome]:
        """Yield the outcome of each result of a run that has an output, in the file's order.

        Raises:
            NotFound: when there is no such run.
        """
        return result_store.iterate_outcomes(self.unit.session, self.get(run_id).id)

    def results_at(self, run_id: str, ordinals: Sequence[int]) -> dict[int, ResultWithCase]:
        """Return a run's results at some positions in its plan.

        Raises:
            NotFound: when there is no such run.
        """
        rows = result_store.results_with_cases_at(self.unit.session, run_id, self.get(run_id).plan, ordinals)
        return {ordinal: ResultWithCase(result, case) for ordinal, (result, case) in rows.items()}

    def distribution(self, run_id: str, metric: str) -> MetricDistribution:
        """Return the distribution of a metric's case scores, by variant and by cluster.

        Raises:
            NotFound: when there is no such run.
        """
        run, session = self.get(run_id), self.unit.session
        means, clusters = result_store.cluster_means(session, run_id, run.plan, metric)
        return MetricDistribution(metric, result_store.histograms(session, run_id, metric), means, clusters)

    def compare(self, run_id: str, baseline: str) -> "RunComparison":
        """Compare a run's candidates with another run's, model by model, paired by the cases' content.

        Raises:
            NotFound: when either run is unknown.
            Conflict: when either has not finished, or they share no model or no case.
        """
        from promptuary.evaluation.runs.comparison import compare_runs  # it needs numpy and scipy

        return compare_runs(self.unit.session, self._finished(run_id), self._finished(baseline))

    def _plan(self, request: RunRequest, recorded: RecordedBaseline | None = None) -> Plan:
        suite = suite_for_run(SuiteService(self.unit).get(request.suite), request.models, request.repeats)
        if recorded is None:
            selected = select_cases(self.unit, DatasetService(self.unit).get(suite.dataset, request.dataset_version), request)
        else:
            selected = SelectedCases(recorded.cases)
        dataset, digest = selected.dataset, suite_digest(suite)
        if suite.early_stop and dataset_store.list_weights(self.unit.session, dataset.id):
            suite = suite.model_copy(update={"early_stop": False})  # its sequences are for cases that weigh the same
        if selected.part is not None:  # a part of the cases is no evidence for a demand on all of them
            suite = suite.model_copy(update={"gate": [], "early_stop": False})
        if suite.targets:
            plan = build_target_plan(self.unit, suite, dataset, request)
        else:
            registry = Registry(self.unit)
            candidates = resolve_candidates(registry, suite, request)
            plan = build_plan(registry, suite, dataset, candidates, Baselines(request.baseline, recorded))
        admit(suite, plan, self.unit.settings)
        max_cost = request.max_cost if request.max_cost is not None else suite.max_cost
        plan = replace(plan, cache=request.cache, max_cost=max_cost, suite_digest=digest, part=selected.part)
        if plan.total > RESULTS_LIMIT:
            raise InvalidRequest(f"the run would have {plan.total} results; the most are {RESULTS_LIMIT}")
        self._check_cost_limit(plan, suite)
        return plan

    def _check_cost_limit(self, plan: Plan, suite: Suite) -> None:
        if plan.max_cost is not None:
            batches = range(0, plan.dataset.cases, _CASES_BATCH)
            session, dataset = self.unit.session, plan.dataset.id
            cases = (dataset_store.list_cases(session, dataset, first, _CASES_BATCH) for first in batches)
            check_prices(plan, suite, chain.from_iterable(cases))

    def _stop(self, run_id: str, state: RunState) -> Run:
        """End a run in a state, whichever worker has its lease."""
        run, now = self._lock(run_id), self.unit.clock()
        if not store.stop_run(self.unit.session, run_id, state, now):
            raise Conflict(f"the run '{run_id}' is {run.state} already")
        audit.record_change(self.unit, f"run.{state}", run_id, {"done": run.done, "total": run.total})
        return replace(run, state=state, finished_at=now, lease_until=None)

    def _lock(self, run_id: str) -> Run:
        """Return a run as it is now, locked until the transaction ends."""
        run = store.lock_run(self.unit.session, run_id, self.unit.caller.project)
        if run is None:
            raise NotFound(f"there is no run '{run_id}'")
        return run

    def _release_if_ended(self, run: Run) -> None:
        """Release the lease of a worker whose process has ended on this machine, which would else last for a minute."""
        if run.state is RunState.RUNNING and has_ended(run.worker):
            store.release_run(self.unit.session, run)

    def _finished(self, run_id: str) -> Run:
        run = self.get(run_id)
        if run.state is not RunState.FINISHED:
            raise Conflict(f"the run '{run_id}' is {run.state}; only finished runs can be compared")
        return run
