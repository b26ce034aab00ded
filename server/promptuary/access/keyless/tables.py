"""The table of the rules; private to this folder."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from promptuary.core.database import UtcDateTime


class KeylessRuleRow(SQLModel, table=True):
    """Which pipelines get a short key of the role ci. `grants` are scopes beyond the role, with spaces between."""

    __tablename__ = "keyless_rule"

    id: str = Field(primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    issuer: str
    repository: str = Field(index=True)
    repository_id: str | None = None
    branch: str
    environment: str | None = None
    event: str | None = None
    grants: str | None = None
    minutes: int
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
