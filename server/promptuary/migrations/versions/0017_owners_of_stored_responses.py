"""Stored responses have their owner and their entity tag, and are deleted after some days."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add two columns and an index; of the responses of earlier releases it is not known who wrote them."""
    op.add_column("idempotency", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("idempotency", sa.Column("etag", sa.String(), nullable=True))
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
