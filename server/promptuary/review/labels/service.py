"""The decisions of a queue, on behalf of a caller."""

from dataclasses import dataclass

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.review.labels import store
from promptuary.review.labels.store import Decision
from promptuary.review.queues.service import QueueService


@dataclass(frozen=True)
class DecisionService:
    """Decisions that were made and not undone."""

    unit: UnitOfWork

    def decisions(self, name: str, limit: int, cursor: str | None) -> Page[Decision]:
        """List a queue's decisions in the order in which they were made.

        Raises:
            NotFound: when there is no such queue.
        """
        rows = store.list_decisions(
            self.unit.session, QueueService(self.unit).find(name), decode_cursor(cursor, int), limit + 1
        )
        return build_page(rows, limit, lambda decision: decision.id)
