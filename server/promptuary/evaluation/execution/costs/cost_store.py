"""Queries of a run's cost: functions that take a session. A run's row is changed under the fence of its lease."""

from sqlalchemy import case, update
from sqlmodel import Session, col

from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.tables import RunRow
from promptuary.models.calls.budget import Settlement

NEGLIGIBLE_COST = 1e-9
"""US dollars. What sums of reservations and settlements leave up to this amount is a rounding error."""


def reserve_cost(session: Session, run: Run, amount: float, limit: float) -> bool:
    """Reserve an amount for a running run; return False if it does not fit under the limit or the lease is lost."""
    fits = col(RunRow.spent) + col(RunRow.reserved) + amount <= limit
    same_lease = (col(RunRow.id) == run.id, col(RunRow.fence) == run.fence)
    change = update(RunRow).where(*same_lease, col(RunRow.state) == RunState.RUNNING, fits)
    row = session.execute(change.values(reserved=RunRow.reserved + amount).returning(col(RunRow.id)))
    return row.scalar_one_or_none() is not None


def settle_cost(session: Session, run: Run, settlement: Settlement) -> None:
    """Move what was spent from reserved to spent, and release the rest, also if the run is over.

    Nothing changes if another worker has the lease by now.
    """
    if not settlement:
        return
    left = col(RunRow.reserved) - (settlement.spent + settlement.released)
    same_lease = (col(RunRow.id) == run.id, col(RunRow.fence) == run.fence)
    change = update(RunRow).where(*same_lease)
    session.execute(
        change.values(spent=RunRow.spent + settlement.spent, reserved=case((left > NEGLIGIBLE_COST, left), else_=0.0))
    )
