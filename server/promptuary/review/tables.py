"""The review's tables; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class QueueRow(SQLModel, table=True):
    """A queue: the instructions for its reviewers and the number of reviewers for each item (`slots`)."""

    __tablename__ = "queue"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    instructions: str = ""
    decisions: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    slots: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)


class ItemRow(SQLModel, table=True):
    """An item to decide on; `source` identifies its origin and is unique in the queue."""

    __tablename__ = "review_item"
    __table_args__ = (UniqueConstraint("queue_id", "source"), Index("ix_review_item_next", "queue_id", "decided", "place"))

    id: str = Field(primary_key=True)
    queue_id: int = Field(foreign_key="queue.id")
    source: str
    place: int
    probability: float = 1.0
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    decided: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)


class ClaimRow(SQLModel, table=True):
    """One item leased to one reviewer; a decision must send the `nonce` back, which proves that the page showed this claim."""

    __tablename__ = "claim"
    __table_args__ = (Index("ix_claim_live", "item_id", "state", "lease_until"),)

    id: str = Field(primary_key=True)
    item_id: str = Field(foreign_key="review_item.id")
    reviewer: str
    nonce: str
    state: str
    lease_until: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class DecisionRow(SQLModel, table=True):
    """One reviewer's decision on one item; unique per claim, and per item and reviewer."""

    __tablename__ = "decision"
    __table_args__ = (UniqueConstraint("item_id", "reviewer"), UniqueConstraint("claim_id"))

    id: int | None = Field(default=None, primary_key=True)
    item_id: str = Field(foreign_key="review_item.id")
    claim_id: str = Field(foreign_key="claim.id")
    reviewer: str
    decision: str
    comment: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
