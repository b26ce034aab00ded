"""What the review's routes take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.prompt.name import Name
from promptuary.review.choice import CHOICE_LIMIT, DEFAULT_CHOICES, Choice
from promptuary.review.service import NewItem, QueueState
from promptuary.review.store import Claim

ITEM_LIMIT = 1000
Source = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class NewChoice(RequestModel):
    """One decision that reviewers may make; the label is the value in capitals where none is given."""

    value: NonEmptyText
    label: NonEmptyText | None = None
    shortcut: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]$")] | None = None

    def choice(self) -> Choice:
        """Give the domain's value."""
        return Choice(self.value, self.label or self.value.replace("_", " ").capitalize(), self.shortcut)


class NewQueue(RequestModel):
    """What a queue asks of its reviewers."""

    instructions: Annotated[str, Field(max_length=20_000)] = ""
    decisions: Annotated[list[NewChoice], Field(min_length=2, max_length=CHOICE_LIMIT)] | None = None
    slots: Annotated[int, Field(ge=1, le=100)] = 1

    def choices(self) -> tuple[Choice, ...]:
        """Give the decisions, the usual three where none are given."""
        return DEFAULT_CHOICES if self.decisions is None else tuple(given.choice() for given in self.decisions)


class ChoiceOut(ResponseModel):
    """One decision that reviewers may make."""

    value: str
    label: str
    shortcut: str | None


class CountsOut(ResponseModel):
    """How far a queue is. `mine` and `left` are the caller's: decided by them, and open and undecided by them."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int


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
        """Make it from the domain's values."""
        queue = state.queue
        return cls(
            name=queue.name,
            instructions=queue.instructions,
            decisions=[ChoiceOut.model_validate(choice) for choice in queue.choices],
            slots=queue.slots,
            counts=CountsOut.model_validate(state.counts),
            created_at=queue.created_at,
        )


class ItemIn(RequestModel):
    """An item for a queue."""

    source: Source
    payload: dict[str, Any]
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class NewItems(RequestModel):
    """Items, or the run to take them from: its failed results, all of them, or those where its variants disagree."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=ITEM_LIMIT)] | None = None
    run: NonEmptyText | None = None
    only: Literal["failed", "all", "disagree"] | None = None
    variant: NonEmptyText | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "NewItems":
        if (self.items is None) == (self.run is None):
            raise ValueError("give either items or a run")
        if self.run is None and (self.only is not None or self.variant is not None):
            raise ValueError("'only' and 'variant' choose from a run; give one")
        return self

    def new(self) -> list[NewItem]:
        """Give the items as the domain's values."""
        return [NewItem(item.source, item.payload, item.probability) for item in self.items or ()]


class AddedOut(ResponseModel):
    """How many items came in, and how many were in the queue already."""

    added: int
    present: int


class ClaimedItem(ResponseModel):
    """The item of a claim: what there is to see of it."""

    id: str
    source: str
    payload: dict[str, Any]


class ClaimOut(ResponseModel):
    """A claim; `nonce` goes back with the decision, and only from where the item was shown."""

    id: str
    queue: Name
    nonce: str
    lease_until: datetime
    item: ClaimedItem

    @classmethod
    def of(cls, claim: Claim) -> "ClaimOut":
        """Make it from the domain's value."""
        return cls.model_validate(claim)


class Submission(RequestModel):
    """A decision on what was shown."""

    nonce: Annotated[str, Field(min_length=1, max_length=200)]
    decision: NonEmptyText
    comment: Annotated[str, Field(max_length=10_000)] = ""


class DecisionOut(ResponseModel):
    """A decision as it was stored."""

    claim: str
    item: str
    source: str
    reviewer: str
    decision: str
    comment: str
    at: datetime


class ExportedDecision(DecisionOut):
    """A decision with what it was about."""

    probability: float
    payload: dict[str, Any]


class HeartbeatOut(ResponseModel):
    """Until when the item is the reviewer's."""

    lease_until: datetime


class CoefficientOut(ResponseModel):
    """An agreement beyond chance, or the reason why there is none; `low` and `high` bound it at 95 %."""

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None


class AgreementOut(ResponseModel):
    """How far a queue's reviewers agree, over the items with at least two decisions."""

    items: int
    reviewers: int
    percent: float | None
    coefficients: list[CoefficientOut]
    disagreements: list[str]
