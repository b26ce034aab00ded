"""The items on which reviewers disagree, with all of their labels and comments."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.errors import Forbidden
from promptuary.core.paging import Page, decode_cursor, encode_cursor
from promptuary.review.agreement import store
from promptuary.review.agreement.labelled_item import LabelledItem
from promptuary.review.agreement.store import Adjudication
from promptuary.review.labels.preference import to_shown
from promptuary.review.pairs.sides import is_drawn_swapped, left_and_right
from promptuary.review.queues.blindness import Withheld, withhold, withhold_side
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.service import QueueService


class DisagreementState(StrEnum):
    """Which disagreements are listed."""

    OPEN = "open"  # at least one differing label is not adjudicated
    ADJUDICATED = "adjudicated"  # every differing label is adjudicated
    ALL = "all"


@dataclass(frozen=True)
class Disagreement:
    """A finished item on which reviewers gave different labels.

    Attributes:
        labelled: the item with the labels of each reviewer.
        payload: what was reviewed, without what the queue never shows; of a pair, its `left` and `right` in a drawn order.
        differing: the names of the labels that differ.
        adjudications: what was settled, by the name of the label.
    """

    labelled: LabelledItem
    payload: Mapping[str, Any]
    differing: tuple[str, ...]
    adjudications: Mapping[str, Adjudication]


def sees_everything(caller: Caller) -> bool:
    """Return whether figures and disagreements cover all items for a caller; for others only those that are finished."""
    return caller.has(Scope.REVIEW_MANAGE) or caller.has(Scope.REVIEW_ADJUDICATE)


def is_finished(item: LabelledItem, queue: Queue, now: datetime) -> bool:
    """Return whether an item has all its decisions, and none of them can still be undone and made again."""
    until = timedelta(seconds=queue.undo_seconds)
    return item.slots_left == 0 and all(now >= review.at + until for review in item.reviews)


def list_disagreements(
    unit: UnitOfWork, name: str, state: DisagreementState, limit: int, cursor: str | None
) -> Page[Disagreement]:
    """List the finished items of a queue on which labels differ, in the order of the queue.

    Those who manage the queue or adjudicate see all of them. Others see those that they decided themselves, once no decision
    can be undone, where the queue shows labels afterwards.

    Raises:
        NotFound: when there is no such queue.
        Forbidden: for a reviewer of a queue that never shows the labels of others.
    """
    queue = QueueService(unit).find(name)
    labels = store.list_labels(queue)
    if not sees_everything(unit.caller) and Withheld.LABELS not in queue.revealed:
        raise Forbidden(f"the queue '{name}' does not show the labels of others; ask a lead for its disagreements")
    items = [item for item in store.list_labelled_items(unit.session, queue, labels) if _is_visible(unit, queue, item)]
    if not sees_everything(unit.caller):
        # What is known is never shown to a reviewer, and a source names the result, which has all that is withheld.
        items = [replace(item, gold={}, source=item.id) for item in items]
    adjudications = store.list_adjudications(unit.session, queue)
    after = decode_cursor(cursor, str)
    start = next((place + 1 for place, item in enumerate(items) if item.id == after), 0) if after is not None else 0
    listed: list[tuple[LabelledItem, tuple[str, ...]]] = []
    for item in items[start:]:
        differing = tuple(item.differing(labels))
        if differing and _is_in_state(differing, adjudications.get(item.id, {}), state):
            listed.append((item, differing))
        if len(listed) > limit:
            break
    contents = store.find_items(unit.session, queue, [item.id for item, _ in listed[:limit]])
    return Page(
        [
            _as_shown(Disagreement(item, contents[item.id].payload, differing, adjudications.get(item.id, {})), contents, queue)
            for item, differing in listed[:limit]
        ],
        encode_cursor(listed[limit - 1][0].id) if len(listed) > limit else None,
    )


def _is_visible(unit: UnitOfWork, queue: Queue, item: LabelledItem) -> bool:
    if sees_everything(unit.caller):
        return item.slots_left == 0
    own = any(review.reviewer in unit.caller.identities for review in item.reviews)
    return own and is_finished(item, queue, unit.clock())


def _as_shown(disagreement: Disagreement, contents: Mapping[str, Item], queue: Queue) -> Disagreement:
    """Return a disagreement as a reviewer sees it after the own decision: an adjudicator decides as blindly as they did.

    The sides of a pair are in a drawn order, and preferences name the side: who filled the queue knows which output is first.
    """
    labelled, item = disagreement.labelled, contents[disagreement.labelled.id]
    if item.pair_sides is None:
        return replace(disagreement, payload=withhold(item.payload, queue.revealed))
    swapped = is_drawn_swapped(item.id)

    def by_side(labels: Mapping[str, Any]) -> dict[str, Any]:
        return to_shown(queue.schema, labels, swapped)

    reviews = tuple(replace(review, labels=by_side(review.labels)) for review in labelled.reviews)
    sides = {
        name: withhold_side(side, queue.revealed) if isinstance(side, dict) else side
        for name, side in left_and_right(dict(item.pair_sides), swapped).items()
    }
    return replace(
        disagreement,
        labelled=replace(labelled, source=item.id, reviews=reviews, gold=by_side(labelled.gold)),
        payload={**withhold(item.payload, queue.revealed), "sides": sides},
        adjudications={
            name: replace(settled, value=by_side({name: settled.value})[name])
            for name, settled in disagreement.adjudications.items()
        },
    )


def _is_in_state(differing: tuple[str, ...], adjudications: Mapping[str, Adjudication], state: DisagreementState) -> bool:
    settled = all(label in adjudications for label in differing)
    return state is DisagreementState.ALL or settled is (state is DisagreementState.ADJUDICATED)
