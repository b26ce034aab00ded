"""The tables of model calls; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class ResponseRow(SQLModel, table=True):
    """A cached response of a model, under the digest of the request and the number of the repeat."""

    __tablename__ = "response"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    key: str = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
