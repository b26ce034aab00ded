"""The order in which a reviewer sees the two outputs of a pair: as often one way as the other, and stored."""

import hashlib
from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.pairs import store
from promptuary.review.queues.queue import Item, Queue


def assign_sides(unit: UnitOfWork, queue: Queue, item: Item) -> bool | None:
    """Return whether the caller sees the second output on the left, and store it; None for an item that is no pair.

    A pair that repeats another one is seen with the sides swapped. Otherwise the order that the caller has seen less often
    in this queue is taken, and where both are as frequent, one by a hash that nobody can guess from the item.
    """
    if item.pair_sides is None:
        return None
    session, caller = unit.session, unit.caller
    swapped = store.find_swapped(session, item.id, caller.identities)
    if swapped is not None:
        return swapped
    seen = [store.find_swapped(session, other, caller.identities) for other in store.find_counterpart(session, item)]
    known = next((side for side in seen if side is not None), None)
    if known is not None:
        swapped = not known
    else:
        in_order, turned = store.count_sides(session, queue, caller.identities)
        digest = hashlib.sha256(f"{item.id} {caller.identity}".encode()).digest()
        swapped = turned < in_order if turned != in_order else digest[0] % 2 == 1
    store.add_side(session, item.id, caller.identity, swapped, unit.clock())
    return swapped


def is_drawn_swapped(item: str) -> bool:
    """Return whether those who settle a pair see its second output on the left: drawn by the item's id, the same for all."""
    return hashlib.sha256(f"{item} settled".encode()).digest()[0] % 2 == 1


def left_and_right(sides: dict[str, Any], swapped: bool) -> dict[str, Any]:
    """Return the two outputs of a pair as a reviewer sees them."""
    first, second = sides.values()
    return {"left": second, "right": first} if swapped else {"left": first, "right": second}
