"""Queries of what reviewers preferred. They take a session and return domain values."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, select

from promptuary.access.identity import shown_name
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.store import is_standing
from promptuary.review.tables import DecisionRow, ItemRow

FIRST, SECOND, TIE = "first", "second", "tie"


@dataclass(frozen=True)
class PairPreference:
    """One reviewer's preference between the outputs of a pair.

    Attributes:
        pair: the pair's id; of a repetition, that of the pair that it repeats.
        is_repetition: whether the pair was shown again with its sides swapped.
        first: the variant of the pair's first output.
        second: that of its second one.
        preferred: `first`, `second` or `tie`.
        swapped: whether the second output was on the left.
        reviewer: the name that people see.
        probability: the pair's inclusion probability.
    """

    pair: str
    is_repetition: bool
    first: str
    second: str
    preferred: str
    swapped: bool
    reviewer: str
    probability: float


@dataclass(frozen=True)
class PreferenceFilter:
    """Which preferences are read: those of one field of the label schema, and of finished pairs alone or of all."""

    field: str
    finished_only: bool = False


def iterate_preferences(session: Session, queue: Queue, selected: PreferenceFilter) -> Iterator[PairPreference]:
    """Yield the preferences of a queue's decisions that stand, in the order in which they were made.

    Args:
        session: for reading.
        queue: of the pairs.
        selected: which.
    """
    query = select(DecisionRow, ItemRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id, col(ItemRow.pair_sides).is_not(None), is_standing())
    if selected.finished_only:
        query = query.where(ItemRow.decided >= queue.slots)
    names: dict[str, str] = {}
    for decision, item in session.exec(query.order_by(col(DecisionRow.id))):
        preferred, sides = (decision.labels or {}).get(selected.field), item.pair_sides or {}
        if preferred not in (FIRST, SECOND, TIE) or decision.swapped is None:
            continue
        if decision.reviewer not in names:
            names[decision.reviewer] = shown_name(session, decision.reviewer)
        yield PairPreference(
            pair=item.repeat_of or item.id,
            is_repetition=item.repeat_of is not None,
            first=_variant(sides, FIRST),
            second=_variant(sides, SECOND),
            preferred=preferred,
            swapped=decision.swapped,
            reviewer=names[decision.reviewer],
            probability=item.probability,
        )


def _variant(sides: dict[str, dict[str, object]], side: str) -> str:
    """Return the name of a side's variant; the side's own where the pair is of no run."""
    return str(sides.get(side, {}).get("variant") or side)
