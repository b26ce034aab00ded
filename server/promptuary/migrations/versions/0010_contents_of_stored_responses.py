"""Which versions' contents the responses stored for retries can have, so that an erasure replaces exactly those."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a table and a column; of the responses of earlier releases it is not known which contents they have."""
    op.add_column("idempotency", sa.Column("contents_known", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "idempotency_content",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id", "key"], ["idempotency.project_id", "idempotency.key"]),
        sa.PrimaryKeyConstraint("project_id", "key", "prompt", "version"),
    )
    op.create_index("ix_idempotency_content_version", "idempotency_content", ["project_id", "prompt", "version"], unique=False)
