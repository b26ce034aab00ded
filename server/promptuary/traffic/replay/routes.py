"""Datasets and runs made of sampled calls, over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.evaluation.runs.schemas import WholeRunOut
from promptuary.traffic.replay.schemas import TrafficDatasetIn, TrafficDatasetOut, TrafficRunIn
from promptuary.traffic.replay.service import TrafficReplay

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)


@router.post("/traffic/datasets")
def add_traffic_to_dataset(
    body: TrafficDatasetIn,
    unit: Annotated[UnitOfWork, authorize(Scope.OBSERVATION_READ, changes=Scope.DATASET_WRITE)],
) -> TrafficDatasetOut:
    """Add the inputs of sampled calls to a dataset, as its next version, each with the number of calls that it stands for.

    Inputs that the dataset has are not added again, and its cases stay as they are.
    """
    added = TrafficReplay(unit).add_to_dataset(body.prompt, body.dataset, body.selection(unit.clock()))
    version = added.version
    return TrafficDatasetOut(
        dataset=body.dataset,
        version=None if version is None else version.number,
        cases=0 if version is None else version.cases,
        calls=added.calls,
        added=added.added,
        present=added.present,
        dropped=dict(added.dropped),
        dropped_share=added.dropped_share,
        examples={reason: tuple(ids) for reason, ids in added.examples.items()},
    )


@router.post("/traffic/runs", status_code=202)
def submit_traffic_run(
    body: TrafficRunIn, unit: Annotated[UnitOfWork, authorize(Scope.OBSERVATION_READ, changes=Scope.DATASET_WRITE)]
) -> WholeRunOut:
    """Queue a run of a suite on sampled calls: candidates are called, and what production answered is the baseline.

    Cases weigh by the inverse of their calls' inclusion probability. Needs `run:write`, too.
    """
    return WholeRunOut.of(TrafficReplay(unit).submit(body.run_request(), body.selection(unit.clock())))
