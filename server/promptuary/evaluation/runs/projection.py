"""The projection of a suite's next run, estimated from its newest finished run of all cases where there is one.

A run of a part of the cases, such as those that failed before, does not show how all of them vary.
"""

from collections.abc import Iterator

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Session
from promptuary.core.errors import Conflict
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunFilter, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.verdict.power import DatasetSize, PilotRun, ProjectionOptions, RunProjection, compute_power_plan

_PAGE = 20


def project_run(
    unit: UnitOfWork, suite_name: str, *, pilot: str | None = None, options: ProjectionOptions | None = None
) -> RunProjection:
    """Project a suite's next run: detectable effects, cases needed, cost and duration.

    Args:
        unit: on whose behalf.
        suite_name: of the suite.
        pilot: the id of the run to learn from; None for the suite's newest finished run of all its cases.
        options: the smallest effect that matters, and the power.

    Raises:
        NotFound: for an unknown suite, dataset or run.
        Conflict: for a pilot run that has not finished.
    """
    suite = Suite.model_validate(SuiteService(unit).get(suite_name).definition)
    dataset = DatasetService(unit).get(suite.dataset)
    run = _pilot_run(RunService(unit), suite_name, pilot)
    versions = 1 + len({demand.not_worse_than for demand in suite.gate if demand.not_worse_than})
    variants = len(suite.targets) or versions * len(suite.models)
    learnt = _read_pilot(unit.session, run) if run else None
    size = DatasetSize.of_weights(dataset.cases, dataset_store.list_weights(unit.session, dataset.id))
    return compute_power_plan(suite, size, variants, learnt, options or ProjectionOptions())


def _pilot_run(runs: RunService, suite: str, pilot: str | None) -> Run | None:
    if pilot is None:
        return next((run for run in _iterate_finished(runs, suite) if run.plan.part is None), None)
    run = runs.get(pilot)
    if run.state is not RunState.FINISHED:
        raise Conflict(f"the run '{pilot}' is {run.state}; only a finished run can be learnt from")
    return run


def _iterate_finished(runs: RunService, suite: str) -> Iterator[Run]:
    """Yield a suite's finished runs, the newest first."""
    cursor = None
    while True:
        page = runs.list_runs(_PAGE, cursor, RunFilter(suite=suite, state=RunState.FINISHED))
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _read_pilot(session: Session, run: Run) -> PilotRun:
    """Read a run's scores under its first model."""
    candidate = next(variant for variant in run.plan.variants if variant.role is VariantRole.CANDIDATE)
    baselines = (
        variant for variant in run.plan.variants if variant.role is VariantRole.BASELINE and variant.model == candidate.model
    )
    baseline = next(baselines, None)
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    return PilotRun(
        run=run.id,
        results=store.list_results(session, run.id, variant=candidate.name),
        baseline=store.list_results(session, run.id, variant=baseline.name) if baseline else [],
        clusters=dataset_store.list_clusters(session, run.plan.dataset.id),
        seconds=seconds / run.done if seconds is not None and run.done else None,
    )
