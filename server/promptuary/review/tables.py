"""The review's tables; private to this folder, whose sub-packages join them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint, false
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class ClaimState(StrEnum):
    """The state of a claim. An expired lease changes no state: the claim stays `leased` with an end in the past."""

    LEASED = "leased"  # the reviewer has the item, until the lease ends
    SUBMITTED = "submitted"  # the reviewer has decided
    SKIPPED = "skipped"  # the reviewer skipped it, and gets it again when no other item is left
    DEFERRED = "deferred"  # the reviewer put it off, and gets it again after all others, or after a time
    RELEASED = "released"  # the reviewer released it, as if it had never been claimed


class QueueRow(SQLModel, table=True):
    """A queue: the instructions for its reviewers and the number of reviewers for each item (`slots`).

    `schema_number` names the current row of `review_schema`; 0 for a queue without fields. `source` is how the queue was
    filled: run, selection, seed, share.
    """

    __tablename__ = "queue"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    instructions: str = ""
    decisions: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    slots: int = 1
    schema_number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    reviewers: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    adjudicators: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    blind: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undo_seconds: int = Field(default=300, sa_column_kwargs={"server_default": "300"})
    source: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    swap_share: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    created_at: datetime = Field(sa_type=UtcDateTime)


class SchemaRow(SQLModel, table=True):
    """One state of a queue's label schema; append-only, so that a decision names what its reviewer saw."""

    __tablename__ = "review_schema"

    queue_id: int = Field(foreign_key="queue.id", primary_key=True)
    number: int = Field(primary_key=True)
    fields: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    rubric: str = Field(default="", sa_column=Column(Text, nullable=False))
    examples: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class ItemRow(SQLModel, table=True):
    """An item to decide on; `source` identifies its origin and is unique in the queue.

    `selection` is how it came into the queue: in order of priority, or in a random slice with `probability`. `pair_sides`
    are the two outputs of a pair, and `repeat_of` the pair that this one repeats with its sides swapped. `gold` are labels
    that are known: they are never shown. `tuning` is true where the item's label tuned a judge, which it then does not grade.
    `slice_probability` is the probability by random slices alone, and `case_key` the digest of the case's input.
    """

    __tablename__ = "review_item"
    __table_args__ = (
        UniqueConstraint("queue_id", "source"),
        Index("ix_review_item_next", "queue_id", "decided", "place"),
        Index("ix_review_item_case", "queue_id", "case_key"),
        Index("ix_review_item_repetition", "queue_id", "repeat_of"),
    )

    id: str = Field(primary_key=True)
    queue_id: int = Field(foreign_key="queue.id")
    source: str
    place: int
    probability: float = 1.0
    selection: str | None = None
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    pair_sides: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    repeat_of: str | None = None
    gold: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    tuning: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    slice_probability: float | None = None
    case_key: str | None = None
    decided: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)


class ClaimRow(SQLModel, table=True):
    """One item leased to one reviewer; a decision must send the `nonce` back, which proves that the page showed this claim.

    `beside` is the claim beside which the reviewer got this one. `draft` is what the reviewer has entered and not sent.
    `deferred_until` is the earliest time of a deferred item.
    """

    __tablename__ = "claim"
    __table_args__ = (
        Index("ix_claim_live", "item_id", "state", "lease_until"),
        Index("ix_claim_reviewer", "reviewer", "state"),
        Index("ix_claim_lease", "state", "lease_until"),
    )

    id: str = Field(primary_key=True)
    item_id: str = Field(foreign_key="review_item.id")
    reviewer: str
    nonce: str
    state: str
    lease_until: datetime = Field(sa_type=UtcDateTime)
    beside: str | None = None
    draft: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    draft_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deferred_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class DecisionRow(SQLModel, table=True):
    """One reviewer's decision on one item; append-only, unique per claim, and per item, reviewer and attempt.

    `attempt` is 0, and one more after each decision of this reviewer on this item that they undid. `swapped` is true when
    the second output of a pair was on the left. `schema_number` is that of the queue when the reviewer decided. `queue_id` is
    the item's, so that a queue's decisions are counted without a look at its items.
    """

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("item_id", "reviewer", "attempt"),
        UniqueConstraint("claim_id"),
        Index("ix_decision_reviewer", "reviewer", "queue_id"),
        Index("ix_decision_pace", "queue_id", "at", "reviewer"),
    )

    id: int | None = Field(default=None, primary_key=True)
    queue_id: int = Field(sa_column_kwargs={"server_default": "0"})
    item_id: str = Field(foreign_key="review_item.id")
    claim_id: str = Field(foreign_key="claim.id")
    reviewer: str
    attempt: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    decision: str
    comment: str = Field(default="", sa_column=Column(Text, nullable=False))
    labels: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    correction: str | None = Field(default=None, sa_column=Column(Text))
    schema_number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    swapped: bool | None = None
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    at: datetime = Field(sa_type=UtcDateTime)


class UndoRow(SQLModel, table=True):
    """A decision that its reviewer undid: it stays, and no longer counts; append-only."""

    __tablename__ = "decision_undo"

    decision_id: int = Field(foreign_key="decision.id", primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)


class PairSideRow(SQLModel, table=True):
    """On which side one reviewer sees the outputs of a pair: `swapped` when the second is on the left."""

    __tablename__ = "pair_side"

    item_id: str = Field(foreign_key="review_item.id", primary_key=True)
    reviewer: str = Field(primary_key=True)
    swapped: bool
    created_at: datetime = Field(sa_type=UtcDateTime)


class AdjudicationRow(SQLModel, table=True):
    """What an adjudicator settled about one field of an item, with the reason; append-only, the latest one counts.

    `field` is `decision` for the queue's primary choice. `schema_number` is that of the queue at that time.
    """

    __tablename__ = "adjudication"
    __table_args__ = (Index("ix_adjudication_item", "item_id", "field"),)

    id: int | None = Field(default=None, primary_key=True)
    item_id: str = Field(foreign_key="review_item.id")
    field: str
    value: Any = Field(sa_column=Column(JSON, nullable=False))
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    adjudicator: str
    schema_number: int = 0
    at: datetime = Field(sa_type=UtcDateTime)


class GoldCaseRow(SQLModel, table=True):
    """Where a dataset's gold case comes from: the decision whose correction or labels a lead accepted; append-only."""

    __tablename__ = "gold_case"
    __table_args__ = (
        UniqueConstraint("project_id", "dataset", "dataset_version", "case_id"),
        Index("ix_gold_case_key", "project_id", "case_key"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    dataset: str
    dataset_version: int
    case_id: str
    case_key: str | None = None
    item_id: str = Field(foreign_key="review_item.id", index=True)
    decision_id: int | None = Field(default=None, foreign_key="decision.id")
    reviewer: str
    prompt: str | None = None
    prompt_version: int | None = None
    prompt_digest: str | None = None
    accepted_by: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    accepted_at: datetime = Field(sa_type=UtcDateTime)
