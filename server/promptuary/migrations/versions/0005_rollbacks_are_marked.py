"""Mark the moves of a label that are rollbacks, so that the next rollback goes one step further back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; the moves of earlier releases have null, for history cannot be changed."""
    op.add_column("label_move", sa.Column("rollback", sa.Boolean(), nullable=True))
