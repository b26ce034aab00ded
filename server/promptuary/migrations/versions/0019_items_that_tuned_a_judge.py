"""Items whose labels tuned a judge; a judge's figures are computed when they are read, so their tables go."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the mark to items, which none of earlier releases has, and drop two tables that nothing has filled."""
    op.add_column("review_item", sa.Column("tuning", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_table("judge_label")
    op.drop_table("judge_calibration")
