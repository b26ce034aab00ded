"""The rules of adjudication: who settles a disagreement, about which item, and with which reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptuary.access import audit
from promptuary.access.contents import read_without_response
from promptuary.access.identity import shown_name
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, Forbidden, InvalidRequest, NotFound
from promptuary.review.agreement import store
from promptuary.review.agreement.label import PRIMARY, LabelDefinition
from promptuary.review.agreement.labelled_item import LabelledItem
from promptuary.review.agreement.store import Adjudication, NewAdjudication
from promptuary.review.labels.preference import to_stored
from promptuary.review.labels.values import JudgedOutput, is_empty, judged_output, value_errors
from promptuary.review.pairs.sides import is_drawn_swapped
from promptuary.review.queues.label_schema import FieldType
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import QueueService


@dataclass(frozen=True)
class ItemAdjudication:
    """What an adjudicator settles about one item.

    Attributes:
        item: the item's id.
        values: the value of each label that is settled, by its name; `decision` for the primary one. A preference is a side
            as the list of disagreements shows it, or the output itself.
        reason: why; it is stored and audited.
        own: whether the adjudicator, who is one of the item's reviewers, states that they decide about their own label.
        replaces: the ids of the adjudications that this one changes.
    """

    item: str
    values: Mapping[str, Any]
    reason: str
    own: bool = False
    replaces: tuple[int, ...] = ()


@dataclass(frozen=True)
class AdjudicationService:
    """Adjudications on behalf of a caller; for the order of locks see `QueueService`."""

    unit: UnitOfWork

    def adjudicate(self, name: str, settlement: ItemAdjudication) -> list[Adjudication]:
        """Store the labels that count for an item from now on; the decisions of its reviewers do not change.

        Raises:
            NotFound: when there is no such queue, or no decided item of that id in it.
            Forbidden: when the queue names its adjudicators, and the caller is none of them.
            InvalidRequest: with every label that the queue does not have, and every value that is none of its label.
            Conflict: when the item lacks decisions, when the caller is one of its reviewers and does not state it, or when a
                label was adjudicated already and the adjudication is not named in `replaces`.
        """
        queue = QueueService(self.unit).find(name, lock=True)
        caller = self.unit.caller
        if queue.adjudicators and not set(caller.identities) & set(queue.adjudicators):
            raise Forbidden(f"the queue '{name}' names its adjudicators, and you are none of them; ask a lead to add you")
        labels = store.list_labels(queue)
        items = store.list_labelled_items(self.unit.session, queue, labels, [settlement.item])
        if not items:
            raise NotFound(f"the queue '{name}' has no decided item '{settlement.item}'")
        with read_without_response(self.unit.session):
            item = store.find_items(self.unit.session, queue, [settlement.item])[settlement.item]
            output = judged_output(item.payload, is_pair=item.pair_sides is not None)
        if item.pair_sides is not None:
            values = to_stored(queue.schema, settlement.values, is_drawn_swapped(item.id))
            settlement = replace(settlement, values=values)
        _check_values(queue, labels, settlement.values, output)
        own = any(review.reviewer in caller.identities for review in items[0].reviews)
        self._check_item(queue, items[0], settlement, own=own)
        adjudications = store.add_adjudications(
            self.unit.session,
            [
                NewAdjudication(
                    settlement.item, label, value, settlement.reason, caller.identity, queue.schema_number, self.unit.clock()
                )
                for label, value in settlement.values.items()
            ],
        )
        detail = {"queue": name, "labels": sorted(settlement.values), "reason": settlement.reason, "own": own}
        audit.record_change(self.unit, "item.adjudicated", settlement.item, detail)
        return adjudications

    def _check_item(self, queue: Queue, item: LabelledItem, settlement: ItemAdjudication, *, own: bool) -> None:
        if item.slots_left:
            raise Conflict(f"the item lacks {item.slots_left} of its {queue.slots} decisions; adjudicate when they are made")
        if own and not settlement.own:
            raise Conflict(
                "you are one of the reviewers of this item and would decide about your own label; leave it to another "
                "adjudicator, or send 'own': true to state that you do it yourself"
            )
        current = store.list_adjudications(self.unit.session, queue, [item.id]).get(item.id, {})
        for label in settlement.values:
            adjudication = current.get(label)
            if adjudication is not None and adjudication.id not in settlement.replaces:
                name = shown_name(self.unit.session, adjudication.adjudicator)
                raise Conflict(
                    f"'{label}' was adjudicated by {name} already; to change it, send the id {adjudication.id} in 'replaces'"
                )


def _check_values(queue: Queue, labels: Sequence[LabelDefinition], values: Mapping[str, Any], output: JudgedOutput) -> None:
    """Raise InvalidRequest unless each value is one that a reviewer could have entered for this output."""
    known = {label.name: label for label in labels}
    field_errors = []
    for name, value in values.items():
        path = name if name == PRIMARY else f"labels.{name}"
        field = queue.schema.field(name)
        if name not in known:
            field_errors.append(FieldError(path, "the queue has no such label"))
        elif not known[name].accepts(value):
            options = ", ".join(map(str, known[name].options or ()))
            message = f"is none of: {options}" if options else f"is no value of a '{known[name].type}'"
            field_errors.append(FieldError(path, message))
        elif field is not None and field.type is FieldType.PREFERENCE and output.is_pair:
            continue  # it is one of the outputs, as checked above; reviewers enter sides
        elif field is not None and not is_empty(value):
            field_errors += value_errors(field, value, output)
    if field_errors:
        raise InvalidRequest("the adjudicated labels are not valid", field_errors)
