"""The erasure of what runs made of erased cases: results, and their copies in MLflow."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core import outbox
from promptuary.evaluation.datasets.user_case_store import UserCase
from promptuary.evaluation.runs import result_store, store
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC


@dataclass(frozen=True)
class RunsErased:
    """What was erased of runs.

    Attributes:
        results: how many were emptied.
        cases: of each run that had one of the cases, their ids.
        remaining: sentences on the copies that are not rewritten yet, with the ids in MLflow.
    """

    results: int
    cases: Mapping[str, frozenset[str]]
    remaining: Sequence[str]


def erase_in_runs(unit: UnitOfWork, cases: Sequence[UserCase]) -> RunsErased:
    """Clear the results of cases, cancel runs that are going through them, and have MLflow's copies written again.

    A run whose copy may have a text is written again through the outbox; until the worker has done so, it is named.
    """
    session, now = unit.session, unit.clock()
    by_version: dict[int, set[str]] = defaultdict(set)
    fresh: set[int] = set()
    for case in cases:
        by_version[case.version_id].add(case.case)
        if not case.is_erased:
            fresh.add(case.version_id)
    results, of_runs = 0, dict[str, frozenset[str]]()
    changed: list[str] = []
    for run, version in store.runs_on_datasets(session, unit.caller.project, by_version).items():
        of_runs[run] = frozenset(by_version[version])
        if version in fresh and store.stop_run(session, run, RunState.CANCELLED, now):
            audit.record_change(unit, "run.cancelled", run, {"reason": "a case that it goes through was erased"})
        emptied = result_store.erase_run_results(session, run, sorted(by_version[version]))
        results += emptied
        if emptied or version in fresh:
            changed.append(run)
    pending = {str(payload["run"]): parked for payload, parked in outbox.list_undelivered(session, TRACKING_TOPIC)}
    for run in changed + [run for run in of_runs if pending.get(run) and run not in changed]:
        outbox.enqueue(session, TRACKING_TOPIC, {"run": run, "rewrite": True}, now)
    waiting = [run for run in of_runs if run in pending or run in changed]
    return RunsErased(results, of_runs, _copies(store.tracking_ids(session, waiting)))


def _copies(tracking_ids: Mapping[str, str]) -> list[str]:
    return [
        f"MLflow's copy of the run {run}, {tracked} there, has the texts until the worker has written it again; repeat the "
        "call to see whether it has"
        for run, tracked in tracking_ids.items()
    ]
