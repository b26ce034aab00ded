"""The label that counts for an item: the adjudicated one, or the one on which all its reviewers agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptuary.access.identity import shown_name
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.agreement import store
from promptuary.review.agreement.label import LabelDefinition, Level, comparable
from promptuary.review.agreement.labelled_item import LabelledItem
from promptuary.review.agreement.store import Adjudication
from promptuary.review.queues.queue import Queue


class LabelOrigin(StrEnum):
    """Where a final label comes from."""

    ADJUDICATED = "adjudicated"  # an adjudicator settled it
    AGREED = "agreed"  # every reviewer who labelled it gave the same value
    SINGLE = "single"  # one reviewer labelled it


@dataclass(frozen=True)
class FinalLabel:
    """A label that counts, and where it comes from; an adjudicated one has the reason, and the name of who settled it."""

    value: Any
    origin: LabelOrigin
    reason: str | None = None
    settled_by: str | None = None


def list_final_labels(unit: UnitOfWork, queue: Queue) -> dict[str, dict[str, FinalLabel]]:
    """Return the labels that count, by item and label name; a label in dispute and an unfinished item have none."""
    labels = store.list_labels(queue)
    adjudications = store.list_adjudications(unit.session, queue)
    identities = {each.adjudicator for settled in adjudications.values() for each in settled.values()}
    names = {identity: shown_name(unit.session, identity) for identity in identities}
    return {
        item.id: final_labels(item, labels, adjudications.get(item.id, {}), names)
        for item in store.list_labelled_items(unit.session, queue, labels)
        if item.slots_left == 0
    }


def final_labels(
    item: LabelledItem,
    labels: Sequence[LabelDefinition],
    adjudications: Mapping[str, Adjudication],
    names: Mapping[str, str] | None = None,
) -> dict[str, FinalLabel]:
    """Return the labels of one finished item that count, by name; `names` are those of adjudicators, by identity."""
    final = {}
    for label in labels:
        if label.name in adjudications:
            settled = adjudications[label.name]
            by = (names or {}).get(settled.adjudicator)
            final[label.name] = FinalLabel(settled.value, LabelOrigin.ADJUDICATED, settled.reason, by)
            continue
        values = [value for review in item.reviews if (value := review.value_of(label.name)) is not None]
        if len(values) == 1:
            final[label.name] = FinalLabel(values[0], LabelOrigin.SINGLE)
        elif values and label.level is not Level.NONE and len({comparable(value) for value in values}) == 1:
            final[label.name] = FinalLabel(values[0], LabelOrigin.AGREED)
    return final
