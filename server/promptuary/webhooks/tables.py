"""The tables of webhooks and their deliveries; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class WebhookRow(SQLModel, table=True):
    """An address that receives events. The secrets are stored as they are, since a hash cannot sign."""

    __tablename__ = "webhook"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    url: str
    events: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    enabled: bool
    disabled_reason: str | None = None
    secrets: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class DeliveryRow(SQLModel, table=True):
    """One event on its way to one webhook; `id` is sent as `webhook-id` with every attempt, `body` as it is stored."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (Index("ix_webhook_delivery_list", "webhook_id", "number"),)

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    webhook_id: int = Field(foreign_key="webhook.id")
    type: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    state: str
    attempts: int = 0
    status: int | None = None
    error: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    attempted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
