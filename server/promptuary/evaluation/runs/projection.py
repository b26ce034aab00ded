"""What a suite would show if it were run now, from its newest finished run where there is one."""

from typing import Any

from promptuary.core.errors import Conflict
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.service import Evaluations
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.verdict.power import PilotRun, compute_power_plan


def project_run(
    evaluations: Evaluations, name: str, *, pilot: str | None = None, effect: float | None = None, power: float = 0.8
) -> dict[str, Any]:
    """Plan a suite's next run: detectable effects, cases needed, cost and time; see `planning.planned`.

    Args:
        evaluations: on whose behalf.
        name: of the suite.
        pilot: the run to learn from; by default the suite's newest finished one.
        effect: the smallest difference that matters.
        power: the chance of showing it.

    Raises:
        NotFound: for an unknown suite, dataset or run.
        Conflict: for a pilot that has not finished.
    """
    suite = Suite.model_validate(evaluations.suite(name).definition)
    dataset = evaluations.dataset(suite.dataset)
    if pilot is not None:
        run: Run | None = evaluations.run(pilot)
        if run is not None and run.state is not RunState.FINISHED:
            raise Conflict(f"the run '{pilot}' is {run.state}; only a finished run can be learnt from")
    else:
        run = next(iter(evaluations.runs(1, None, name, RunState.FINISHED).items), None)
    versions = 1 + len({gate.not_worse_than for gate in suite.gate if gate.not_worse_than})
    variants = versions * len(suite.models)
    return compute_power_plan(suite, dataset.cases, variants, _pilot(evaluations, run) if run else None, effect, power)


def _pilot(evaluations: Evaluations, run: Run) -> PilotRun:
    """Read a run's scores under its first model."""
    session = evaluations.unit.session
    candidate = next(one for one in run.plan.variants if one.role is VariantRole.CANDIDATE)
    others = (one for one in run.plan.variants if one.role is VariantRole.BASELINE and one.model == candidate.model)
    baseline = next(others, None)
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    return PilotRun(
        run.id,
        store.list_results(session, run.id, variant=candidate.name),
        store.list_results(session, run.id, variant=baseline.name) if baseline else [],
        {case.id: case.cluster for case in store.list_cases(session, run.plan.dataset.id)},
        seconds / run.done if seconds is not None and run.done else None,
    )
