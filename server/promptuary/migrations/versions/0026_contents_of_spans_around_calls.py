"""What spans around calls state of people, for calls that come in a later request; and which calls wait for such a span."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
DIGEST = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table, and let the calls that wait without a prompt wait for a span around them."""
    op.create_table(
        "traffic_span_contents",
        sa.Column("span", DIGEST, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("variables", sa.LargeBinary(), nullable=True),
        sa.Column("removed", sa.JSON(), nullable=True),
        sa.Column("user_hash", sa.String(), nullable=True),
        sa.Column("conversation", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_index("ix_traffic_span_contents_at", "traffic_span_contents", ["at"], unique=False)
    op.create_index("ix_traffic_span_contents_user", "traffic_span_contents", ["project_id", "user_hash"], unique=False)
    op.add_column("observation", sa.Column("awaited", sa.JSON(), nullable=True))
    waits = "is_settled = false AND prompt_id IS NULL AND trace_id IS NOT NULL AND parent_span_id IS NOT NULL"
    op.execute(f"UPDATE observation SET awaited = '{{\"mark\": null}}' WHERE {waits}")
