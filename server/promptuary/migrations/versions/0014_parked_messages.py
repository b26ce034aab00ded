"""Messages that are refused too often are parked; collections count their changes and their chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the time at which a message was parked, which none of an earlier release is, and the counts."""
    op.add_column("outbox", sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("collection", sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("collection", sa.Column("chunks", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE collection SET chunks = (SELECT count(*) FROM chunk WHERE chunk.collection_id = collection.id)")
