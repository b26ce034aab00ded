"""The erasure of outputs and rendered inputs of the runs that evaluated a version; their figures stay."""

from collections.abc import Sequence

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.evaluation.runs import result_store, store
from promptuary.evaluation.runs.store import RunState
from promptuary.registry.erasure.holder import ErasedVersion, HolderReport


class RunErasure:
    """Cancels the runs that are evaluating an erased version, and empties the results of all runs that did."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Clear the results; a run's copy in MLflow is named, for it is outside this database."""
        digests = {version.digest for version in versions}
        runs = store.runs_with_digests(unit.session, unit.caller.project, digests)
        results = 0
        remaining: list[str] = []
        for run in runs:
            if store.stop_run(unit.session, run.id, RunState.CANCELLED, unit.clock()):
                audit.record_change(unit, "run.cancelled", run.id, {"reason": "a version that it evaluates was erased"})
            variants = [variant.name for variant in run.plan.variants if variant.digest in digests]
            results += result_store.erase_results(unit.session, run.id, variants)
            if run.tracking_id is not None:
                remaining.append(f"MLflow has a copy of the run {run.id} under the id {run.tracking_id}; delete it there")
        return HolderReport({"runs": len(runs), "results": results}, remaining)
