"""What other parts learn of a run that finishes: a protocol, so that evaluation imports none of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from promptuary.core.database import Session
from promptuary.evaluation.evidence.evidence import Evidence
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.verdict.case_order import CaseOrder

WriteOutcome = Callable[[Session], None]
"""Writes in the transaction that finishes the run."""


@dataclass(frozen=True)
class FinishedRun:
    """A run at its end.

    Attributes:
        run: as it was when its lease was taken.
        summary: of its results.
        evidence: of its candidates.
        order: of the cases of a run that may stop early, as far as they are complete; else None.
        at: when it finishes.
    """

    run: Run
    summary: Summary
    evidence: Sequence[Evidence]
    order: CaseOrder | None
    at: datetime


class FinishedRunListener(Protocol):
    """Is notified of every run that finishes; given to the executor where the process is assembled."""

    def prepare(self, session: Session, finished: FinishedRun) -> WriteOutcome:
        """Read what is needed before the transaction that finishes the run, and return what to write in that transaction.

        Args:
            session: for reading only.
            finished: whose results are all written.
        """
