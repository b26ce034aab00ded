"""Wire models of the routes of queues."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.review.queues.choice import CHOICE_LIMIT, DEFAULT_CHOICES, Choice
from promptuary.review.queues.queue import QueueCounts, QueueDefinition
from promptuary.review.queues.service import NewItem, QueueState

ITEM_LIMIT = 1000
Source = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class NewChoice(RequestModel):
    """One decision that reviewers may make; without a label, the capitalised value is the label."""

    value: NonEmptyText
    label: NonEmptyText | None = None
    shortcut: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]$")] | None = None

    def choice(self) -> Choice:
        """Return the domain value."""
        return Choice(self.value, self.label or self.value.replace("_", " ").capitalize(), self.shortcut)


class NewQueue(RequestModel):
    """The instructions, decisions and slots of a queue."""

    instructions: Annotated[str, Field(max_length=20_000)] = ""
    decisions: Annotated[list[NewChoice], Field(min_length=2, max_length=CHOICE_LIMIT)] | None = None
    slots: Annotated[int, Field(ge=1, le=100)] = 1

    def definition(self, name: str) -> QueueDefinition:
        """Return the domain value; its choices are the three default ones where the request names none."""
        choices = DEFAULT_CHOICES if self.decisions is None else tuple(decision.choice() for decision in self.decisions)
        return QueueDefinition(name=name, instructions=self.instructions, choices=choices, slots=self.slots)


class ChoiceOut(ResponseModel):
    """One decision that reviewers may make."""

    value: str
    label: str
    shortcut: str | None


class CountsOut(ResponseModel):
    """The progress of a queue. `mine` counts the caller's decisions, `left` the open items that the caller has not decided."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int

    @classmethod
    def of(cls, counts: QueueCounts) -> "CountsOut":
        """Build the wire model from the domain value; on the wire, the closed items are `decided`."""
        return cls(
            items=counts.items,
            decided=counts.closed,
            open=counts.open,
            claimed=counts.claimed,
            mine=counts.mine,
            left=counts.left,
        )


class QueueOut(ResponseModel):
    """A queue."""

    name: str
    instructions: str
    decisions: list[ChoiceOut]
    slots: int
    counts: CountsOut
    created_at: datetime

    @classmethod
    def of(cls, state: QueueState) -> "QueueOut":
        """Build the wire model from the domain values."""
        queue = state.queue
        return cls(
            name=queue.name,
            instructions=queue.instructions,
            decisions=[ChoiceOut.model_validate(choice) for choice in queue.choices],
            slots=queue.slots,
            counts=CountsOut.of(state.counts),
            created_at=queue.created_at,
        )


class ItemIn(RequestModel):
    """An item for a queue."""

    source: Source
    payload: dict[str, Any]
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class NewItems(RequestModel):
    """Items, or a run whose results become items: the failed ones, all, or those of cases where variants disagree."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=ITEM_LIMIT)] | None = None
    run: NonEmptyText | None = None
    only: Literal["failed", "all", "disagree"] | None = None
    variant: NonEmptyText | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "NewItems":
        if (self.items is None) == (self.run is None):
            raise ValueError("send either items or a run")
        if self.run is None and (self.only is not None or self.variant is not None):
            raise ValueError("'only' and 'variant' select results of a run; send 'run' as well")
        return self

    def new_items(self) -> list[NewItem]:
        """Return the items as domain values."""
        return [NewItem(item.source, item.payload, item.probability) for item in self.items or ()]


class AddedOut(ResponseModel):
    """How many items were added, and how many were in the queue already."""

    added: int
    present: int
