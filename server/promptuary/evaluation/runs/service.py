"""The rules of evaluations: what a dataset and a suite may be, what a run is to do, and who may stop it."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.admission import admit, check_prices
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.plan import CaseResult, Plan
from promptuary.evaluation.runs import result_store, store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.result_store import ClusterMean, Histogram, ResultSelection
from promptuary.evaluation.runs.store import DatasetVersion, Run, RunState, StoredSuite
from promptuary.evaluation.runs.submission import build_plan, resolve_candidates, suite_for_run
from promptuary.evaluation.suites.suite import Suite, suite_digest, suite_to_json
from promptuary.prompt.name import is_name
from promptuary.prompt.text import format_usd
from promptuary.registry.service import Registry
from promptuary.statistics.verdict import Verdict

if TYPE_CHECKING:
    from promptuary.evaluation.runs.comparison import RunComparison

RESULTS_LIMIT = 1_000_000
CASES_PAGE = 1000


@dataclass(frozen=True)
class DatasetPut:
    """The dataset version that holds the cases, and whether this call made it."""

    version: DatasetVersion
    created: bool


@dataclass(frozen=True)
class ResultWithCase:
    """A result with its case, for whoever has to judge it."""

    result: CaseResult
    case: Case


@dataclass(frozen=True)
class MetricDistribution:
    """How a run's values on one metric lie; `clusters` is how many there are, of which `means` has the largest."""

    metric: str
    spreads: Sequence[Histogram]
    means: Sequence[ClusterMean]
    clusters: int


@dataclass(frozen=True)
class Evaluations:
    """Datasets, suites and runs, on behalf of a caller."""

    unit: UnitOfWork

    def put_dataset_version(self, name: str, cases: Iterable[Case]) -> DatasetPut:
        """Store cases as the dataset's next version, unless its newest version has the same.

        Args:
            name: of the dataset.
            cases: in their order; a `CaseSpool` is not held in memory.

        Raises:
            InvalidRequest: for no case, two cases of one id, or a dataset's name that is none.
        """
        spool = cases if isinstance(cases, CaseSpool) else _spooled(cases)
        field_errors = [] if is_name(name) else [FieldError("name", "must be 1 to 128 of a-z 0-9 _ . -")]
        if not len(spool):
            field_errors.append(FieldError("cases", "must have at least one case"))
        if field_errors:
            raise InvalidRequest("the dataset cannot be used", field_errors)
        session, caller = self.unit.session, self.unit.caller
        newest = store.get_dataset_version(session, caller.project, name)
        if newest is not None and newest.digest == spool.digest:
            return DatasetPut(newest, created=False)
        added = store.add_dataset_version(session, caller.project, name, spool, caller.actor, self.unit.clock())
        detail = {"version": added.number, "digest": added.digest, "cases": added.cases}
        audit.record_change(self.unit, "dataset.versioned", name, detail)
        return DatasetPut(added, created=True)

    def dataset(self, name: str, version: int | None = None) -> DatasetVersion:
        """Give a version of a dataset; without a number the newest.

        Raises:
            NotFound: when there is none.
        """
        found = store.get_dataset_version(self.unit.session, self.unit.caller.project, name, version)
        if found is None:
            raise NotFound(f"there is no dataset '{name}'" + (f" with a version {version}" if version is not None else ""))
        return found

    def datasets(self, limit: int, cursor: str | None) -> Page[DatasetVersion]:
        """List datasets by name, each by its newest version."""
        rows = store.list_datasets(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda dataset: dataset.name)

    def cases(self, dataset: DatasetVersion, limit: int, cursor: str | None) -> Page[Case]:
        """List a dataset version's cases in their order."""
        first = (decode_cursor(cursor, int) or 0) if cursor else 0
        rows = store.list_cases(self.unit.session, dataset.id, first, limit + 1)
        place = {case.id: first + number for number, case in enumerate(rows)}
        return build_page(rows, limit, lambda case: place[case.id] + 1)

    def put_suite(self, suite: Suite) -> StoredSuite:
        """Write a suite, over the one of its name; runs keep the definition that they ran.

        Raises:
            InvalidRequest: when its dataset is no name: files are for the command line, which stores them first.
        """
        if not is_name(suite.dataset):
            raise InvalidRequest(
                "the suite cannot be used", [FieldError("dataset", "must be the name of a stored dataset: a-z 0-9 _ . -")]
            )
        body, digest = suite_to_json(suite), suite_digest(suite)
        session, project = self.unit.session, self.unit.caller.project
        known = store.get_suite(session, project, suite.name)
        if known is not None and known.digest == digest:
            return known
        written = store.put_suite(session, project, suite.name, body, digest, self.unit.clock())
        audit.record_change(self.unit, "suite.written", suite.name, {"digest": digest})
        return written

    def suite(self, name: str) -> StoredSuite:
        """Give a suite.

        Raises:
            NotFound: when there is none.
        """
        found = store.get_suite(self.unit.session, self.unit.caller.project, name)
        if found is None:
            raise NotFound(f"there is no suite '{name}'")
        return found

    def suites(self, limit: int, cursor: str | None) -> Page[StoredSuite]:
        """List suites by name."""
        rows = store.list_suites(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda suite: suite.name)

    def submit(self, request: RunRequest, *, schedule: str | None = None) -> Run:
        """Queue a run; everything that it does is decided now, and labels that move later change nothing in it.

        Args:
            request: what is to be run.
            schedule: the name of the schedule that submits it.

        Raises:
            NotFound: for an unknown suite, dataset, prompt, label or version. A label that only the gate names may be
                missing: then that demand of the gate is inconclusive.
            InvalidRequest: for candidates, models or repeats that are not accepted, too many results, or a cost limit with a
                model whose price is not known.
        """
        chosen = suite_for_run(self.suite(request.suite), request.models, request.repeats)
        dataset = self.dataset(chosen.dataset, request.dataset_version)
        registry = Registry(self.unit)
        candidates = resolve_candidates(registry, chosen, request)
        plan = build_plan(registry, chosen, dataset, candidates, request.baseline)
        admit(chosen, plan, self.unit.settings)
        max_cost = request.max_cost if request.max_cost is not None else chosen.max_cost
        plan = replace(plan, cache=request.cache, max_cost=max_cost)
        if plan.total > RESULTS_LIMIT:
            raise InvalidRequest(f"the run would have {plan.total} results; the most are {RESULTS_LIMIT}")
        self._check_ceiling(plan, chosen)
        caller, now = self.unit.caller, self.unit.clock()
        run_id = f"run_{int(now.timestamp() * 1000):011x}{secrets.token_hex(6)}"
        run = store.add_run(self.unit.session, run_id, caller.project, plan, caller.actor, now, schedule)
        digests = {variant.name: variant.digest for variant in plan.variants}
        detail = {
            "suite": plan.suite_name,
            "suite_digest": plan.suite_digest,
            "dataset_digest": dataset.digest,
            "variants": digests,
        }
        audit.record_change(self.unit, "run.submitted", run_id, detail)
        return run

    def resume(self, run_id: str, max_cost: float | None = None) -> Run:
        """Let a run go on that its ceiling has stopped, or that nobody works on any more; what is there is kept.

        Args:
            run_id: its id.
            max_cost: the new ceiling, in US dollars, over what is spent already; by default the one that it has.

        Raises:
            NotFound: when there is no such run.
            InvalidRequest: when the ceiling leaves nothing to spend, or a model's price is not known.
            Conflict: when it is over in another way, or somebody works on it.
        """
        run, now = self.run(run_id), self.unit.clock()
        plan = run.plan if max_cost is None else replace(run.plan, max_cost=max_cost)
        spent = run.spent + run.reserved
        if run.state is RunState.STOPPED and max_cost is None:
            raise InvalidRequest(f"the run '{run_id}' has reached its ceiling", [FieldError("max_cost", "give a higher one")])
        if plan.max_cost is not None and plan.max_cost <= spent:
            raise InvalidRequest(
                f"the run '{run_id}' cannot go on",
                [FieldError("max_cost", f"must be over the {format_usd(spent, significant_digits=6)} that is spent already")],
            )
        self._check_ceiling(plan, Suite.model_validate(plan.suite))
        if not store.requeue_run(self.unit.session, run_id, plan, now):
            over = run.state in (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)
            raise Conflict(
                f"the run '{run_id}' is {run.state} already" if over else f"{run.worker} works on the run '{run_id}'"
            )
        audit.record_change(self.unit, "run.resumed", run_id, {"max_cost": plan.max_cost, "done": run.done, "total": run.total})
        return self.run(run_id)

    def _check_ceiling(self, plan: Plan, suite: Suite) -> None:
        if plan.max_cost is not None:
            pages = range(0, plan.dataset.cases, CASES_PAGE)
            cases = (store.list_cases(self.unit.session, plan.dataset.id, first, CASES_PAGE) for first in pages)
            check_prices(plan, suite, chain.from_iterable(cases))

    def hold(self, run_id: str, worker: str) -> Run:
        """Take the lease of this very run, to do it in this process; a run that nobody works on any more is resumed so.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it is over, or another holds it.
        """
        run, now = self.run(run_id), self.unit.clock()
        held = store.lease_run(
            self.unit.session, worker, now, now + timedelta(seconds=self.unit.settings.lease_seconds), run_id
        )
        if held is None:
            raise Conflict(
                f"the run '{run_id}' is {run.state} already"
                if run.state.over
                else f"the run '{run_id}' is being done by {run.worker}; wait for it, or until its lease ends"
            )
        return held

    def run(self, run_id: str) -> Run:
        """Give a run.

        Raises:
            NotFound: when the project has no such run.
        """
        found = store.get_run(self.unit.session, run_id, self.unit.caller.project)
        if found is None:
            raise NotFound(f"there is no run '{run_id}'")
        return found

    def runs(
        self,
        limit: int,
        cursor: str | None,
        suite: str | None = None,
        state: RunState | None = None,
        verdict: Verdict | None = None,
    ) -> Page[Run]:
        """List runs, the newest first."""
        before = decode_cursor(cursor, str)
        rows = store.list_runs(self.unit.session, self.unit.caller.project, suite, state, before, limit + 1, verdict)
        return build_page(rows, limit, lambda run: run.id)

    def results(
        self, run_id: str, limit: int, cursor: str | None, variant: str | None = None, passed: bool | None = None
    ) -> Page[ResultWithCase]:
        """List a run's results in the file's order, each with its case; all, one variant's, or by verdict.

        Raises:
            NotFound: when there is no such run.
        """
        return self.selected(run_id, ResultSelection(variant=variant, passed=passed), limit, cursor)

    def selected(self, run_id: str, selection: ResultSelection, limit: int, cursor: str | None) -> Page[ResultWithCase]:
        """List the results of a run that are wanted, each with its case.

        Raises:
            NotFound: when there is no such run.
        """
        run = self.run(run_id)
        found = result_store.select_results(self.unit.session, run_id, run.plan, selection, limit, cursor)
        return Page([ResultWithCase(result, case) for result, case in found.items], found.next_cursor)

    def distribution(self, run_id: str, metric: str) -> MetricDistribution:
        """Tell how a metric's values lie, variant by variant and cluster by cluster.

        Raises:
            NotFound: when there is no such run.
        """
        run, session = self.run(run_id), self.unit.session
        means, clusters = result_store.cluster_means(session, run_id, run.plan, metric)
        return MetricDistribution(metric, result_store.histograms(session, run_id, metric), means, clusters)

    def cancel(self, run_id: str) -> Run:
        """Stop a run; the results that it has are kept.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it is over.
        """
        run = self.run(run_id)
        now = self.unit.clock()
        if not store.cancel_run(self.unit.session, run_id, now):
            raise Conflict(f"the run '{run_id}' is {run.state} already")
        audit.record_change(self.unit, "run.cancelled", run_id, {"done": run.done, "total": run.total})
        return replace(run, state=RunState.CANCELLED, finished_at=now, lease_until=None)

    def compare(self, run_id: str, baseline: str) -> "RunComparison":
        """Compare a run's candidates with another run's, model by model, paired by the cases' ids.

        Raises:
            NotFound: when either run is unknown.
            Conflict: when either has not finished, or they share no model or no case.
        """
        from promptuary.evaluation.runs.comparison import compare_runs

        return compare_runs(self.unit.session, self._finished(run_id), self._finished(baseline))

    def _finished(self, run_id: str) -> Run:
        run = self.run(run_id)
        if run.state is not RunState.FINISHED:
            raise Conflict(f"the run '{run_id}' is {run.state}; only finished runs can be compared")
        return run


def _spooled(cases: Iterable[Case]) -> CaseSpool:
    """Keep cases that were checked one by one.

    Raises:
        InvalidRequest: for two cases of one id.
    """
    field_errors, seen, spool = list[FieldError](), set[str](), CaseSpool()
    for number, case in enumerate(cases):
        if case.id in seen:
            field_errors.append(FieldError(f"cases.{number}.id", f"'{case.id}' is the id of an earlier case"))
        seen.add(case.id)
        spool.add(case)
    if field_errors:
        raise InvalidRequest("the dataset cannot be used", field_errors)
    return spool
