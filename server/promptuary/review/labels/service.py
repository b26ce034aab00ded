"""The decisions of a queue, on behalf of a caller."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from promptuary.access.contents import read_without_response
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.review.labels import store
from promptuary.review.labels.decision import Decision, OthersLabels, OwnDecisions
from promptuary.review.labels.preference import to_shown
from promptuary.review.queues.blindness import Withheld, may_show_source, reveal
from promptuary.review.queues.item_title import beginning_of, case_of
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import QueueService


@dataclass(frozen=True)
class OwnDecision:
    """A decision as its reviewer sees it.

    Attributes:
        decision: the stored decision.
        queue: the name of the queue.
        source: the item's source, or its id where the source would show what is withheld.
        case: the id of the item's case; None where it has none.
        beginning: how the item's input begins, or its output; of an erased one empty.
        labels: the labels, a preference as the side that the reviewer saw.
        undo_until: until when the reviewer may undo it.
        revealed: the fields of the payload that the queue shows now; None before, and where it shows none.
        others: what others decided, where the queue shows it now.
    """

    decision: Decision
    queue: str
    source: str
    case: str | None
    beginning: str
    labels: dict[str, Any]
    undo_until: datetime
    revealed: dict[str, Any] | None
    others: tuple[OthersLabels, ...] | None


@dataclass(frozen=True)
class DecisionService:
    """Decisions that were made and not undone."""

    unit: UnitOfWork

    def decisions(self, name: str, limit: int, cursor: str | None) -> Page[Decision]:
        """List a queue's decisions in the order in which they were made.

        Raises:
            NotFound: when there is no such queue.
        """
        queue = QueueService(self.unit).find(name)
        rows = store.list_decisions(self.unit.session, queue, decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda decision: decision.id)

    def own_decisions(self, name: str | None, limit: int, cursor: str | None) -> Page[OwnDecision]:
        """List the caller's decisions, the newest first, each with what its queue shows after.

        Args:
            name: the only queue; None for all.
            limit: of the page.
            cursor: of the page.

        Raises:
            NotFound: when there is no such queue.
        """
        queues: dict[str, Queue] = {} if name is None else {name: QueueService(self.unit).find(name)}
        own = OwnDecisions(self.unit.caller.project, self.unit.caller.identities, name)
        rows = store.list_own_decisions(self.unit.session, own, decode_cursor(cursor, int), limit + 1)
        page = build_page(rows, limit, lambda row: row[0].id)
        for _, queue in page.items:
            if queue not in queues:
                queues[queue] = QueueService(self.unit).find(queue)
        return Page([self.as_own(decision, queues[queue]) for decision, queue in page.items], page.next_cursor)

    def as_own(self, decision: Decision, queue: Queue) -> OwnDecision:
        """Return one of the caller's own decisions as they see it.

        Nothing is revealed while the decision can be undone: a reviewer could look, undo it and decide again. The item's
        contents are noted as read only where some of them are returned.
        """
        undo_until = decision.at + timedelta(seconds=queue.undo_seconds)
        parts = queue.revealed if undo_until <= self.unit.clock() else ()
        with read_without_response(self.unit.session):
            is_open = decision.pair_sides is None and may_show_source(decision.payload, parts)
            revealed = _revealed(decision, parts)
            case, beginning = case_of(decision.payload), beginning_of(decision.payload)
        if revealed is not None or beginning or decision.correction is not None:
            _ = decision.payload
        others = None
        if Withheld.LABELS in parts:
            others = tuple(store.list_others(self.unit.session, decision.item, self.unit.caller.identities))
        return OwnDecision(
            decision=decision,
            queue=queue.name,
            source=decision.source if is_open else decision.item,
            case=case,
            beginning=beginning,
            labels=to_shown(queue.schema, decision.labels, decision.swapped),
            undo_until=undo_until,
            revealed=revealed,
            others=others,
        )


def _revealed(decision: Decision, parts: tuple[str, ...]) -> dict[str, Any] | None:
    """Return what the queue shows of the item after the decision; of a pair, of each side under its stored name."""
    fields = reveal(decision.payload, parts)
    sides = {side: reveal(body, parts) for side, body in (decision.pair_sides or {}).items()}
    return fields | ({"sides": sides} if any(sides.values()) else {}) or None
