"""Stored responses have their entity tag, and are deleted after some days."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add a column and an index. Responses of earlier releases do not record who wrote them, and are replayed to nobody."""
    op.add_column("idempotency", sa.Column("etag", sa.String(), nullable=True))
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
