"""Processes that answer lookups from memory confirm the changes that they know, on PostgreSQL."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the table of confirmations; on SQLite it stays empty."""
    op.create_table(
        "change_listener",
        sa.Column("listener", sa.Integer(), nullable=False),
        sa.Column("project", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("access_revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("listener", "project"),
    )
