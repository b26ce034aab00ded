"""Wire models of the routes of queues."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.review.queues.choice import CHOICE_LIMIT, DEFAULT_CHOICES, Choice
from promptuary.review.queues.queue import QueueCounts, QueueDefinition
from promptuary.review.queues.service import QueueState


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
    source: dict[str, Any] | None
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
            source=queue.source,
            counts=CountsOut.of(state.counts),
            created_at=queue.created_at,
        )
